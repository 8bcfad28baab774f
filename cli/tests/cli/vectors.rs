//! `embed` and `score`.

use serde_json::Value;

use crate::common::{assert_usage, error, feed, json, keys, stdout, succeeded, with_model};

fn vector(embedding: &Value) -> Vec<f64> {
    let numbers = embedding["embedding"].as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn embed_makes_a_vector_of_each_text() {
    let mut embed = with_model("embed");
    let texts = [
        "The cat sleeps.",
        "The cat is asleep.",
        "Taxes rose by 3 %.",
    ];
    let report = json(embed.args(texts).args(["-c", "64"]));
    assert_eq!(
        keys(&report),
        ["embeddings", "n_embd", "normalized", "pooling"]
    );
    assert_eq!(report["n_embd"], 576);
    assert_eq!(report["pooling"], "mean");
    let embeddings = report["embeddings"].as_array().unwrap();
    assert_eq!(embeddings.len(), 3);
    assert_eq!(keys(&embeddings[0]), ["embedding", "text", "tokens"]);
    assert_eq!(embeddings[0]["text"], texts[0]);
    let vectors: Vec<_> = embeddings.iter().map(vector).collect();
    for vector in &vectors {
        assert_eq!(vector.len(), 576);
        assert!((dot(vector, vector) - 1.0).abs() < 1e-5);
    }
    // Even of a model that was not trained for it, the alike are closer.
    assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]));

    // The same from lines, as lines of numbers.
    let mut lines = with_model("embed");
    let fed = feed(
        lines.args(["-f", "-", "-c", "64"]),
        &format!("{}\n\n  \n{}\n", texts[0], texts[1]),
    );
    let fed = succeeded(&fed);
    assert_eq!(fed.lines().count(), 2);
    for (line, vector) in fed.lines().zip(&vectors) {
        let numbers = line.split(' ').map(|x| x.parse::<f32>().unwrap());
        let same = numbers.zip(vector).all(|(a, b)| a == *b as f32);
        assert!(same);
    }

    let mut last = with_model("embed");
    last.args([texts[0], "--pooling", "last", "--no-normalize", "-c", "64"]);
    let last = json(&mut last);
    assert_eq!(last["pooling"], "last");
    assert_eq!(last["normalized"], false);
    let last = vector(&last["embeddings"][0]);
    assert!((dot(&last, &last) - 1.0).abs() > 1e-2);
}

#[test]
fn embed_says_which_text_does_not_fit() {
    let texts = ["Hi", "one two three four five six"];
    let said = error(with_model("embed").args(texts).args(["-c", "4", "--json"]));
    assert!(
        said.contains("text 2") && said.contains("context"),
        "{said}"
    );
    assert_usage(["embed", "-m", "x"]);
    assert_usage(["embed", "-m", "x", "text", "-f", "file"]);
}

#[test]
fn score_ranks_what_may_follow() {
    let texts = [" Berlin", " Paris", " a banana"];
    let mut score = with_model("score");
    score
        .args(["-p", "The capital of France is", "-c", "32"])
        .args(texts);
    let shown = stdout(&mut score);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].ends_with("' Paris'"), "{shown}");

    let report = json(&mut score);
    assert_eq!(keys(&report), ["prompt_tokens", "scores"]);
    assert_eq!(report["prompt_tokens"].as_array().unwrap().len(), 5);
    let scores = report["scores"].as_array().unwrap();
    assert_eq!(
        keys(&scores[0]),
        ["log_probs", "mean", "sum", "text", "tokens"]
    );
    for (score, text) in scores.iter().zip(texts) {
        assert_eq!(score["text"], text);
        let log_probs = score["log_probs"].as_array().unwrap();
        assert_eq!(log_probs.len(), score["tokens"].as_array().unwrap().len());
        let sum: f64 = log_probs.iter().map(|p| p.as_f64().unwrap()).sum();
        assert!((score["sum"].as_f64().unwrap() - sum).abs() < 1e-9);
        let mean = sum / log_probs.len() as f64;
        assert!((score["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    }
    // The one that `logits` says is the likeliest.
    let mut logits = with_model("logits");
    let logits = json(logits.args(["-p", "The capital of France is", "--top", "1", "-c", "32"]));
    let prob = logits["top"][0]["prob"].as_f64().unwrap();
    assert_eq!(logits["top"][0]["text"], " Paris");
    assert!((scores[1]["sum"].as_f64().unwrap().exp() / prob - 1.0).abs() < 1e-6);

    assert_usage(["score", "-m", "x", "-p", "prompt"]);
    assert_usage(["score", "-m", "x", "-p", "prompt", ""]);
}
