//! Templates from files that mean harm: each is refused or stopped with a typed error, soon, and the
//! process lives.

use std::time::{Duration, Instant};

use puna_core::chat::{ChatError, ChatTemplate, Message, SpecialTokens};

/// A second on an idle machine, with room for a loaded one.
const SOON: Duration = Duration::from_secs(5);

fn run(source: &str) -> Result<String, ChatError> {
    let start = Instant::now();
    let template = ChatTemplate::with_special_tokens(source, SpecialTokens::default());
    let messages = [Message::user("What is 2 + 2?"), Message::assistant("4")];
    let result = template.and_then(|t| t.render(&messages, true).map(|r| r.text().to_owned()));
    let took = start.elapsed();
    let shown: String = source.chars().take(80).collect();
    assert!(took < SOON, "{took:?}: {shown}");
    result
}

fn stopped(source: &str) -> ChatError {
    let shown: String = source.chars().take(200).collect();
    match run(source) {
        Err(error) => error,
        Ok(text) => panic!("{shown} rendered {} bytes", text.len()),
    }
}

/// `source` with its body in a loop of many rounds; `{}` is the place.
fn looped(body: &str) -> String {
    format!(
        "{{% set ns = namespace(x='ab', l=[1], n=0) %}}{{% for i in range(90000) %}}{body}{{% endfor %}}"
    )
}

#[test]
fn loops_end() {
    for source in [
        "{% for a in range(1000000000) %}x{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
        "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
        "{% for x in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}{% call f() %}{{ f() }}{% endcall %}{% endcall %}",
    ] {
        stopped(source);
    }
}

#[test]
fn texts_do_not_grow_without_end() {
    for body in [
        "{% set ns.x = ns.x + ns.x %}",
        "{% set ns.x = ns.x ~ ns.x %}",
        "{% set ns.x = ns.x * 1000 %}",
        "{% set ns.x = 1000000000 * ns.x %}",
        "{% set ns.y = ns.x * 99999999 %}",
        "{% set ns.x = [ns.x, ns.x] | join(ns.x) %}",
        "{% set ns.x = ns.x.join([ns.x, ns.x]) %}",
        "{% set ns.x = ns.x | replace('a', ns.x) %}",
        "{% set ns.x = ns.x.replace('a', ns.x) %}",
        "{% set ns.x = ns.x.replace('', ns.x) %}",
        "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}",
        "{% set ns.x = ns.x | indent(1000000000) %}",
        "{% set ns.x = (ns.x ~ '\\n') | indent(width=100000) %}",
        "{% set ns.x = '%1000000000d' | format(1) %}",
        "{% set ns.x = '{:1000000000}'.format(ns.x) %}",
        "{% set ns.x = '%s%s%s' | format(ns.x, ns.x, ns.x) %}",
        "{% set ns.x = '{0}{0}{0}'.format(ns.x) %}",
        "{% set ns.x = ns.x | tojson | tojson %}{% set ns.x = ns.x + ns.x %}",
        "{% set ns.x = ns.x | escape ~ '&&&&' %}",
        "{% set ns.x = [ns.x, ns.x] | string %}",
        "{% set ns.x = [ns.x, ns.x] | tojson(indent=9999999) %}",
        "{% set ns.x = (ns.x + ns.x) | upper %}",
        "{% set ns.x = (ns.x + ns.x)[::-1] %}",
        "{% set ns.n = ns.x in (ns.x + ns.x) %}{% set ns.x = ns.x + ns.x %}",
        "{{ ns.x }}{% set ns.x = ns.x + ns.x %}",
        "{% filter upper %}{{ ns.x }}{% endfilter %}{% set ns.x = ns.x + ns.x %}",
    ] {
        stopped(&looped(body));
    }
    let raw = "x".repeat(30_000);
    stopped(&looped(&raw));
    stopped(&format!("{{% set y %}}{}{{% endset %}}", looped(&raw)));
    stopped(&format!(
        "{{% macro m() %}}{raw}{{% endmacro %}}{}",
        looped("{% set ns.x = m() %}")
    ));
}

#[test]
fn lists_do_not_grow_without_end() {
    for body in [
        "{% set ns.l = ns.l + ns.l %}",
        "{% set ns.l = [ns.l, ns.l] %}",
        "{% set ns.l = (ns.l, ns.l) %}",
        "{% set ns.l = {'a': ns.l, 'b': ns.l} %}",
        "{% set ns.l = [ns.l] %}",
        "{% set ns.l = namespace(l=ns.l) %}{{ ns.l }}",
        "{% set ns.l = dict(l=ns.l, m=ns.l) %}",
        "{% set ns.l = ns.l * 2 %}",
        "{% set ns.l = [1] * 100000000 %}",
        "{% set ns.l = ns.l + ns.l %}{{ ns.l == ns.l + [1] }}",
        "{% set ns.l = ns.l + ns.l %}{{ ns.l | sort }}",
        "{% set ns.l = (ns.l + ns.l) | map('string') | list %}",
        "{% set ns.l = (ns.l + ns.l) | select | list %}",
        "{% set ns.l = (ns.l + ns.l) | reverse | list %}",
        "{% set ns.l = (ns.l + ns.l)[1:] + ns.l %}",
        "{% set ns.x = ns.x + ns.x %}{% set ns.l = ns.x | list %}",
        "{% set ns.x = ns.x + ns.x %}{% set ns.l = ns.x.split('a') %}",
        "{% set ns.l = ns.l + ns.l %}{{ ns.l | map('in', ns.l) | list }}",
        "{% set ns.l = ns.l + ns.l %}{{ ns.l | selectattr('in', ns.l) | list }}",
        "{% set ns.l = range(99999) | list %}",
        "{% set ns.l = range(99999)[::-1] %}",
        "{% set ns.l = range(99999) | tojson %}",
        "{% set ns.n = loop.changed(range(9999) | list) %}",
        "{% set ns.n = range(99999)[99998] %}",
    ] {
        stopped(&looped(body));
    }
    // Held in itself.
    stopped("{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns }}");
    stopped("{% set ns = namespace() %}{% set ns.ns = [ns] %}{{ ns == ns.ns }}");
    stopped("{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns | tojson }}");
    // A long chain is dropped without a crash, whether the steps suffice for it or not.
    let chain = "{% set n = namespace() %}{% set n.next = ns.x %}{% set ns.x = n %}";
    stopped(&looped(chain));
    run(&looped(chain).replace("90000", "9000")).expect("a long chain");
}

#[test]
fn deep_sources_are_refused() {
    let nest = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{{{{ {}{middle}{} }}}}", open.repeat(n), close.repeat(n))
    };
    stopped(&nest("(", "1", ")", 100_000));
    for n in [500, 30_000] {
        stopped(&nest("(", "1", ")", n));
        stopped(&nest("[", "1", "]", n));
        stopped(&nest("{1:", "1", "}", n));
        stopped(&nest("a(", "1", ")", n));
        stopped(&nest("a[", "1", "]", n));
    }
    for n in [900, 5_000, 12_000] {
        for (open, middle, close) in [
            ("not ", "1", ""),
            ("-", "1", ""),
            ("1 + ", "1", ""),
            ("a ~ ", "1", ""),
            ("'a' ~ ", "a", ""),
            ("1 if 0 else ", "1", ""),
            ("a", "", ".b"),
            ("a", "", "[0]"),
            ("a", "", "|e"),
            ("a", "", "()"),
            ("a", "", " is odd"),
            ("2 ** ", "2", ""),
            ("1 < ", "2", ""),
            ("a and ", "b", ""),
        ] {
            // Shallow ones may render: they only must not crash.
            let result = run(&nest(open, middle, close, n));
            assert!(n < 1_000 || result.is_err(), "{open} {close} {n}");
        }
    }
    for (open, close) in [
        ("{% if 1 %}", "{% endif %}"),
        ("{% for a in b %}", "{% endfor %}"),
        ("{% with a = 1 %}", "{% endwith %}"),
        ("{% set x %}", "{% endset %}"),
        ("{% filter e %}", "{% endfilter %}"),
        ("{% macro m() %}", "{% endmacro %}"),
        ("{% call m() %}", "{% endcall %}"),
    ] {
        stopped(&format!("{}{}", open.repeat(2_000), close.repeat(2_000)));
    }
    // Each is compiled inside the one before.
    let chain = |n| format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(n));
    run(&chain(512)).expect("a long chain");
    let error = stopped(&chain(513));
    assert!(matches!(error, ChatError::Unsupported { .. }), "{error}");
    stopped(&chain(5_000));
    let size = stopped(&" ".repeat(1 << 20));
    assert!(
        matches!(
            size,
            ChatError::TooLarge {
                have: 1_048_576,
                ..
            }
        ),
        "{size}"
    );
}

#[test]
fn constants_do_not_grow_while_compiled() {
    for source in [
        "{{ 'a' * 100000000 }}".repeat(500),
        "{{ ('a' * 10000) * 10000 }}".to_owned(),
        "{{ 100000000 * 'a' }}".to_owned(),
        "{{ (1, 2) * 100000000 }}".to_owned(),
        "{{ [1, 2] * 100000000 }}".to_owned(),
        "{{ ['a' * 100000000] }}".to_owned(),
        "{{ {'a': 'a' * 100000000} }}".to_owned(),
        "{{ 'a' * 9 ** 9 }}".to_owned(),
        "{% if false %}{{ x | default('a' * 100000000) }}{% endif %}".to_owned(),
        "{% macro m(a='a' * 100000000) %}{% endmacro %}".to_owned(),
        "{% for i in 'a' * 100000000 %}{% endfor %}".to_owned(),
        "{% set x = 'a' * 100000000 if 'a' * 100000000 else 1 %}".to_owned(),
        "{{ messages['a' * 100000000:] }}".to_owned(),
        format!("{{{{ {} }}}}", vec!["'aaaaaaaa'"; 200].join(" ~ ")),
    ] {
        let error = stopped(&source);
        assert!(matches!(error, ChatError::Unsupported { .. }), "{error}");
    }
    assert!(run("{{ 2 ** 2 ** 9 }}{{ 9 ** 999 }}").is_err());
}

#[test]
fn nothing_is_reached() {
    for source in [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__ }}{{ messages.__init__.__globals__['os'].popen('id').read() }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ lipsum.__globals__ }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ messages[0].content.__add__('x') }}",
        "{% include '/etc/passwd' %}",
        "{% include messages[0].content %}",
        "{% extends 'base' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% block a %}{% endblock %}",
        "{{ super() }}",
        "{{ open('/etc/passwd') }}",
        "{{ debug() }}",
        "{{ namespace(*messages) }}",
        "{{ dict(**messages[0]) }}",
        "{{ messages.append(1) }}",
        "{% do messages[0].update(role='system') %}",
        "{% set messages[0].role = 'system' %}",
    ] {
        if let Ok(text) = run(source) {
            assert_eq!(text, "", "{source}");
        }
    }
}

#[test]
fn errors_do_not_quote_the_conversation() {
    for source in [
        "{{ raise_exception(messages[0].content) }}",
        "{{ raise_exception('Bad: ' + messages[0].content) }}",
        "{{ messages[0].content - 1 }}",
        "{{ messages[0].content | int + messages }}",
        "{{ messages[0].content.nope() }}",
        "{{ messages | map(messages[0].content) | list }}",
        "{{ strftime_now(messages[0]) }}",
        "{{ messages[0].content | dictsort }}",
        "{{ {}[messages[0].content].x }}",
    ] {
        let error = stopped(source);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("2 + 2"), "{shown}");
    }
    let error = stopped("{{ raise_exception('Bad: ' + messages[0].content) }}");
    assert!(
        matches!(&error, ChatError::Refused { reason } if reason == "Bad: …"),
        "{error}"
    );
    let error = stopped("\n\n{{ 'a' - 1 }}");
    assert!(
        matches!(error, ChatError::Render { line: 3, .. }),
        "{error:?}"
    );
    let error = stopped("\n{% if %}");
    assert!(
        matches!(error, ChatError::Syntax { line: 2, .. }),
        "{error:?}"
    );
}

#[test]
fn errors_are_one_short_line() {
    let name = "x".repeat(10_000);
    for source in [
        "{{ raise_exception('a\\nb\\x1b[31mc\\x07') }}".to_owned(),
        format!("{{{{ raise_exception('{name}') }}}}"),
        format!("{{% {name} %}}"),
        format!("{{{{ 1 | {name} }}}}"),
        format!("{{{{ {name}() }}}}"),
    ] {
        let shown = stopped(&source).to_string();
        assert!(
            shown.len() < 400 && !shown.contains(char::is_control),
            "{shown}"
        );
    }
}

#[test]
fn big_conversations_are_not_mistaken_for_attacks() {
    let big = "lorem ipsum [1] <b>dolor</b>\n".repeat(10_000);
    for name in ["llama-3.1", "qwen3", "mistral-v3", "gpt-oss"] {
        let source = super::data::source(name);
        let template = ChatTemplate::with_special_tokens(&source, SpecialTokens::default())
            .expect("a template");
        let many: Vec<Message> = (0..2_001)
            .map(|i| match i % 2 {
                0 => Message::user(format!("question {i}")),
                _ => Message::assistant(format!("answer {i}")),
            })
            .collect();
        let rendered = template.render(&many, true);
        let rendered = rendered.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(rendered.text().contains("question 2000"), "{name}");
        let rendered = template.render(&[Message::user(big.as_str())], true);
        let rendered = rendered.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(rendered.text().contains(big.trim()), "{name}");
    }
}
