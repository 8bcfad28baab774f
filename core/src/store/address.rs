//! Addresses: what may be fetched from, what is told of them, and how the file is to be called.

use http::Uri;

use super::StoreError;

/// The most characters of a file's name.
const MAX_NAME: usize = 128;

/// An address that may be fetched from.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// As it was given.
    pub(super) url: String,
    /// What may be told: without name, password and query.
    pub(super) shown: String,
    /// What the file is called.
    pub(super) file: String,
}

impl Address {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let no_address = || StoreError::Url {
            url: url
                .split(['?', '#'])
                .next()
                .unwrap_or_default()
                .escape_debug()
                .to_string(),
        };
        let uri: Uri = url.parse().map_err(|_| no_address())?;
        let shown = shown(&uri);
        check(&uri)?;
        let last = uri.path().rsplit('/').next().unwrap_or_default();
        let file = file_name(last).ok_or_else(no_address)?;
        Ok(Self {
            url: url.to_owned(),
            shown,
            file,
        })
    }
}

/// That nobody on the way to `uri` can answer in its place.
pub(super) fn check(uri: &Uri) -> Result<(), StoreError> {
    let here = ["localhost", "127.0.0.1", "[::1]"];
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(()),
        (Some("http"), Some(host)) if here.contains(&host) => Ok(()),
        _ => Err(StoreError::Insecure { url: shown(uri) }),
    }
}

/// Where `location` leads from `url`: an address, or a path on the same host.
pub(super) fn next(url: &str, location: &str) -> Option<Uri> {
    if !location.starts_with('/') || location.starts_with("//") {
        return location.parse().ok();
    }
    let from: Uri = url.parse().ok()?;
    let to = Uri::builder().scheme(from.scheme()?.clone());
    let to = to.authority(from.authority()?.clone());
    to.path_and_query(location).build().ok()
}

/// An address without what may be secret in it.
fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |a| a.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{host}{}", uri.path())
}

/// A name that is safe in every file system, from the last part of a path; `None` if nothing is left.
fn file_name(last: &str) -> Option<String> {
    let stem = last.strip_suffix(".gguf").unwrap_or(last);
    let safe = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '.' | '-' | '_' | '+' => c,
        _ => '_',
    };
    let stem: String = stem.chars().take(MAX_NAME).map(safe).collect();
    let stem = stem.trim_matches('.');
    (!stem.is_empty()).then(|| format!("{stem}.gguf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_path_and_are_harmless() {
        let named = |url| Address::new(url).map(|address| address.file).ok();
        let is = |url, name: &str| assert_eq!(named(url).as_deref(), Some(name), "{url}");
        is("https://h/a/b/M.Q4_0.gguf?download=true", "M.Q4_0.gguf");
        is("https://h/%2e%2e%2fpasswd", "_2e_2e_2fpasswd.gguf");
        is("https://h/a:b*c.gguf", "a_b_c.gguf");
        is("https://h/...hidden", "hidden.gguf");
        for nameless in ["https://h/", "https://h", "https://h/..", "", "h/a.gguf"] {
            assert_eq!(named(nameless), None, "{nameless}");
        }
        let long = format!("https://h/{}", "a".repeat(1000));
        assert_eq!(named(&long).map(|name| name.len()), Some(MAX_NAME + 5));
    }

    #[test]
    fn only_this_machine_may_speak_without_encryption() {
        for open in [
            "http://h/a",
            "http://localhost.h/a",
            "http://127.0.0.1.h/a",
            "ftp://h/a",
        ] {
            let error = Address::new(open).unwrap_err();
            assert!(matches!(error, StoreError::Insecure { .. }), "{error}");
        }
        for fine in [
            "http://127.0.0.1:80/a",
            "http://[::1]:8/a",
            "http://localhost/a",
            "https://h/a",
        ] {
            assert!(Address::new(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn one_address_leads_to_another() {
        let to = |location| next("https://h:1/a/b?c", location).map(|uri| uri.to_string());
        assert_eq!(to("/x?y").as_deref(), Some("https://h:1/x?y"));
        assert_eq!(to("https://i/x").as_deref(), Some("https://i/x"));
        for elsewhere in ["//i/x", "x", "javascript:1", ""] {
            let uri = next("https://h/a", elsewhere);
            assert!(uri.is_none_or(|uri| check(&uri).is_err()), "{elsewhere}");
        }
    }

    #[test]
    fn nothing_secret_is_told() {
        let told = Address::new("https://me:pass@h/a.gguf?token=secret")
            .unwrap()
            .shown;
        assert_eq!(told, "https://h/a.gguf");
        let told = Address::new("http://me:pass@h/a?token=secret")
            .unwrap_err()
            .to_string();
        assert!(!told.contains("pass") && !told.contains("secret"), "{told}");
    }
}
