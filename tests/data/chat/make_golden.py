"""Expected renderings and token ids of chat templates, by programs that are not ours.

    python3 make_golden.py                                   # renderings.json
    python3 make_golden.py --llama-tokenize PROGRAM --vocab DIR   # and ids.json

Renderings: Python's jinja2, set up as Hugging Face's `apply_chat_template` sets it up. Ids: llama.cpp's
`llama-tokenize` on those renderings, with the vocabularies `DIR/NAME.gguf`; no content of these
conversations spells a special token, so parsing them in the whole text is right.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
from datetime import datetime, timezone

import jinja2
import jinja2.ext
import jinja2.sandbox

HERE = pathlib.Path(__file__).parent
NOW = 1_753_000_000

# Beginning and end of a text by template; ChatML's begin with nothing.
S = ("<s>", "</s>")
TOKENS = {
    "chatml": ("<s>", "<|im_end|>"),
    "chatml-generation": ("", "<|im_end|>"),
    "smollm2": ("<|im_start|>", "<|im_end|>"),
    "smollm3": ("", "<|im_end|>"),
    "qwen2.5": ("", "<|im_end|>"),
    "qwen3": ("", "<|im_end|>"),
    "qwen3-coder": ("", "<|im_end|>"),
    "llama-2": S,
    "llama-2-vigogne": S,
    "llama-3": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama-3.1": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama-3.2": ("<|begin_of_text|>", "<|eot_id|>"),
    "mistral-v0.1": S,
    "mistral-v1": S,
    "mistral-v3": S,
    "mistral-v7": S,
    "mistral-nemo": S,
    "zephyr": S,
    "tinyllama": S,
    "minicpm": S,
    "openchat": ("<s>", "<|end_of_turn|>"),
    "vicuna": S,
    "gemma": ("<bos>", "<eos>"),
    "gemma-2": ("<bos>", "<eos>"),
    "phi-3-mini": ("<s>", "<|endoftext|>"),
    "phi-3-small": ("<|endoftext|>", "<|endoftext|>"),
    "phi-3-medium": ("<s>", "<|endoftext|>"),
    "phi-3.5": ("<s>", "<|endoftext|>"),
    "phi-4": ("<|endoftext|>", "<|im_end|>"),
    "deepseek-coder": ("<｜begin▁of▁sentence｜>", "<|EOT|>"),
    "deepseek-v2": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "deepseek-r1": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "deepseek-v3.1": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "granite-3.3": ("<|end_of_text|>", "<|end_of_text|>"),
    "command-r-plus": ("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
    "chatglm3": ("", ""),
    "gpt-oss": ("<|startoftext|>", "<|return|>"),
}

# Which templates go with which vocabulary.
VOCABULARIES = {
    "smollm2": ["smollm2"],
    "qwen2": ["qwen2.5", "chatml-generation"],
    "llama-spm": ["llama-2", "mistral-v0.1", "zephyr", "tinyllama"],
    "llama-bpe": ["llama-3", "llama-3.1", "llama-3.2"],
    "phi-3": ["phi-3-mini", "phi-3-medium", "phi-3.5"],
    "deepseek-llm": ["deepseek-v2"],
    "deepseek-coder": ["deepseek-coder"],
}


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


CONVERSATIONS = {
    "one": turns(("user", "Hello!")),
    "system": turns(("system", "Be brief."), ("user", "What is 2 + 2?")),
    "three-turns": turns(
        ("user", "My name is Ada."),
        ("assistant", "Nice to meet you, Ada."),
        ("user", "What is my name?"),
        ("assistant", "Your name is Ada."),
        ("user", "Spell it backwards."),
    ),
    "system-three-turns": turns(
        ("system", "You are a poet."),
        ("user", "Begin."),
        ("assistant", "Roses are red."),
        ("user", "Go on."),
        ("assistant", "Violets are blue."),
        ("user", "End."),
    ),
    "unicode": turns(
        ("system", "Répondez en français, s'il vous plaît."),
        ("user", "Was heißt 你好？ 🙂 ‮مرحبا"),
        ("assistant", "„Hallo“ 👋🏽."),
        ("user", "e\u0301 ≠ é?"),
    ),
    "whitespace": turns(
        ("system", "  padded system\n"),
        ("user", " \tleading and trailing \n\n"),
        ("assistant", "\n  answer with a space  "),
        ("user", "line one\n\n  line two\r\nline three\u00a0"),
    ),
    "code": turns(
        ("user", "Why does `a[0] < b && c > d` fail?\n```c\nif (x <= 1) { y[i] = \"{{ x }}\"; }\n```"),
        ("assistant", "Because `<` binds [as documented] {% here %} tighter.\n\n- a\n- b"),
        ("user", "Thanks & \"bye\" 'now' \\n"),
    ),
    "answered": turns(("user", "Ping"), ("assistant", "Pong")),
    "reasoning": turns(
        ("user", "Think."), ("assistant", "<think>\nwell\n</think>\n\nDone."), ("user", "Again.")
    ),
    "empty-contents": turns(("system", ""), ("user", ""), ("assistant", ""), ("user", " ")),
    "two-users": turns(("user", "One."), ("user", "Two.")),
    "assistant-first": turns(("assistant", "Hi."), ("user", "Hello.")),
    "system-last": turns(("user", "Hello."), ("system", "Be brief.")),
    "long": turns(*[(("user", "assistant")[i % 2], f"Message {i}.") for i in range(61)]),
    "none": [],
}
# Contents that spell reasoning tags, which some vocabularies hold as tokens.
NOT_FOR_IDS = {"reasoning"}


class Generation(jinja2.ext.Extension):
    """Marks what the assistant says, for training; as a block it only runs its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("run"), [], [], body).set_lineno(line)

    def run(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.fromtimestamp(NOW, timezone.utc).strftime(f)
    return env


def render(template, bos, eos, messages, add_generation_prompt):
    try:
        text = template.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            bos_token=bos,
            eos_token=eos,
        )
        return {"text": text}
    except jinja2.exceptions.UndefinedError:
        return {"error": "undefined"}
    except jinja2.exceptions.TemplateError as error:
        return {"refused": str(error)}
    except TypeError:
        return {"error": "type"}


def renderings(folder, tokens):
    env = environment()
    for path in sorted(folder.glob("*.jinja")):
        bos, eos = tokens.get(path.stem, ("<s>", "</s>"))
        source = path.read_bytes().decode()
        template = env.from_string(source)
        cases = []
        for name, messages in CONVERSATIONS.items():
            for prompt in (True, False):
                case = {"conversation": name, "add_generation_prompt": prompt}
                cases.append(case | render(template, bos, eos, messages, prompt))
        yield {"template": path.stem, "bos": bos, "eos": eos, "cases": cases}


def ids(program, vocabularies, golden):
    by_name = {entry["template"]: entry for entry in golden}
    for vocabulary, templates in VOCABULARIES.items():
        for name in templates:
            entry = by_name[name]
            for case in entry["cases"]:
                if not case.get("text") or case["conversation"] in NOT_FOR_IDS:
                    continue
                text = case["text"]
                with tempfile.NamedTemporaryFile("w", newline="", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    command = [program, "-m", f"{vocabularies}/{vocabulary}.gguf", "-f", file.name]
                    command += ["--ids", "--log-disable", "--no-escape"]
                    if entry["bos"] and text.startswith(entry["bos"]):
                        command.append("--no-bos")
                    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                yield {
                    "vocabulary": vocabulary,
                    "template": name,
                    "conversation": case["conversation"],
                    "add_generation_prompt": case["add_generation_prompt"],
                    "ids": json.loads(out),
                }


def write(path, rows):
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=pathlib.Path, default=HERE / "templates")
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    parser.add_argument("--llama-tokenize")
    parser.add_argument("--vocab")
    args = parser.parse_args()
    golden = list(renderings(args.templates, TOKENS))
    write(args.out / "conversations.json", [{"name": n, "messages": m} for n, m in CONVERSATIONS.items()])
    write(args.out / "renderings.json", golden)
    if args.llama_tokenize:
        write(args.out / "ids.json", list(ids(args.llama_tokenize, args.vocab, golden)))


if __name__ == "__main__":
    main()
