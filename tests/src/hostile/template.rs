//! Templates that mean harm.

use super::Case;

/// Every case; its bytes are the template's source. Those that survive write nothing.
#[must_use]
pub fn cases() -> Vec<Case> {
    [walks(), loops(), growth(), depth()].concat()
}

fn refused(source: impl Into<String>, says: &'static str) -> Case {
    let source = source.into();
    let name: String = source.chars().take(60).collect();
    Case::refused(name, source, says)
}

/// Ways out of the sandbox as they work in Python's Jinja2: names that nothing has are undefined, and what is done with
/// them is an error, or they write nothing.
fn walks() -> Vec<Case> {
    let sources = [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ messages.__init__.__globals__['os'].popen('id').read() }}",
        "{{ messages[0].items.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ joiner.__init__ }}{{ lipsum.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ range.__self__ }}",
        "{{ loop.__class__ }}{{ caller.__code__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ ('%s' | format).__globals__ }}",
        "{{ config }}{{ request }}{{ environ }}{{ env }}",
        "{{ open('/etc/passwd').read() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'base' %}",
        "{{ debug() }}",
    ];
    let survives = |source: &'static str| Case::survives(source, source);
    sources.map(survives).to_vec()
}

fn loops() -> Vec<Case> {
    vec![
        refused(
            "{% for i in range(1000000000) %}x{% endfor %}",
            "chat template",
        ),
        refused("{{ range(1000000000) | list | length }}", "chat template"),
        refused(
            "{{ range(-1000000000, 1000000000) | join }}",
            "chat template",
        ),
        refused(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "stopped after",
        ),
        refused(
            "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
            "nested too deeply",
        ),
        refused(
            "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
            "nested too deeply",
        ),
        // The engine's own limit, 500, would let this through.
        refused(
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
            "nested too deeply",
        ),
        // Work that costs nothing but steps.
        refused(
            "{% set l = range(1500) | list %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}",
            " steps",
        ),
        refused(
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
            "chat template",
        ),
        refused(
            "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
            "nested too deeply",
        ),
    ]
}

/// Texts and lists that double until no memory is left.
fn growth() -> Vec<Case> {
    // Work that costs nothing but output.
    let text = "x".repeat(30_000);
    let text = format!("{{% for i in range(60) %}}{text}{{% endfor %}}");
    let doubled = |body: &str| {
        let source = format!(
            "{{% set ns = namespace(x='ab', l=[1]) %}}{{% for i in range(1000) %}}{body}{{% endfor %}}"
        );
        Case::refused(format!("1,000 times {body}"), source, "stopped after")
    };
    vec![
        doubled("{% set ns.x = ns.x + ns.x %}"),
        doubled("{% set ns.x = ns.x ~ ns.x %}"),
        doubled("{% set ns.x = ns.x | replace('a', ns.x) %}"),
        doubled("{% set ns.x = [ns.x, ns.x] | join(ns.x) %}"),
        doubled("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        doubled("{{ ns.x }}{% set ns.x = ns.x + ns.x %}"),
        doubled("{% set ns.l = ns.l + ns.l %}"),
        Case::refused("60 times 30,000 bytes of text", text, "bytes of output"),
        refused("{{ 'a' * 1000000000 }}", "chat template"),
        refused("{{ ('a' * 10000) * 10000 }}", "chat template"),
        refused("{% set x = 'ab' %}{{ x * 1000000000 }}", "chat template"),
        refused("{% set n = 1000000000 %}{{ [1] * n }}", "chat template"),
        refused("{{ '%1000000000d' | format(1) }}", "chat template"),
        refused("{{ 'a\n' | indent(1000000000) }}", "chat template"),
        refused("{{ 9 ** 999999999 }}", "chat template"),
    ]
}

fn depth() -> Vec<Case> {
    let nested = |what: &str, open: &str, close: &str, n: usize, says| {
        let source = format!("{}1{}", open.repeat(n), close.repeat(n));
        Case::refused(format!("{n} times {what}"), source, says)
    };
    let tag = |what: &str, open: &str, close: &str, n: usize, says| {
        let source = format!("{{{{ {}1{} }}}}", open.repeat(n), close.repeat(n));
        Case::refused(format!("{n} times {what}"), source, says)
    };
    vec![
        tag("(", "(", ")", 100_000, "bytes of source, at most"),
        tag("(", "(", ")", 30_000, "has more than"),
        tag("(", "(", ")", 500, "chat template"),
        tag("[", "[", "]", 30_000, "has more than"),
        tag("-", "-", "", 30_000, "has more than"),
        tag("not", "not ", "", 15_000, "has more than"),
        nested("if", "{% if 1 %}", "{% endif %}", 2_000, "chat template"),
        nested(
            "for",
            "{% for a in b %}",
            "{% endfor %}",
            2_000,
            "chat template",
        ),
        Case::refused(
            "1 MiB of spaces",
            " ".repeat(1 << 20),
            "1048576 bytes of source",
        ),
    ]
}
