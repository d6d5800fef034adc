//! Names as clients sent them, as servers kept them, and as a log can show them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Who a client said that it is.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    /// All forms of the application names that it had.
    apps: BTreeSet<Option<String>>,
    /// It chose its application name itself and told nobody.
    any_app: bool,
    /// In `user=U database=D application_name=A` these names cannot be told from the words around.
    pub(crate) looks_like_words: bool,
    app_looks_like_words: bool,
}

const WORDS: [&str; 5] = [
    " database=",
    " application_name=",
    " host=",
    " SSL enabled (",
    " GSS (",
];

impl Names {
    pub(crate) fn new(user: Option<&str>, database: Option<&str>, apps: &[Option<&str>]) -> Names {
        let named = format!(
            "{}\0{}",
            user.unwrap_or_default(),
            database.unwrap_or_default()
        );
        let looks_like_words = WORDS.iter().any(|word| named.contains(word));
        let given = || apps.iter().copied().flatten();
        let mut forms: BTreeSet<_> = apps
            .iter()
            .flat_map(|app| app_forms(app.unwrap_or_default()))
            .collect();
        if apps.is_empty() {
            forms.insert(None);
        }
        Names {
            user: non_empty(user).map(str::to_owned),
            database: non_empty(database).map(str::to_owned),
            apps: forms,
            any_app: given().any(|app| app.starts_with("(chosen")),
            looks_like_words,
            app_looks_like_words: looks_like_words
                || given().any(|app| WORDS[3..].iter().any(|word| app.contains(word))),
        }
    }

    /// Whether an application name is one that this client had; `text`: read out of a message.
    pub(crate) fn has_app(&self, app: Option<&str>, text: bool) -> bool {
        let app = non_empty(app).map(str::to_owned);
        let escaped = |form: &Option<String>| match (form, &app) {
            (Some(form), Some(app)) => form.contains("\\x") && skeleton(form) == skeleton(app),
            _ => false,
        };
        self.any_app
            || (text && self.app_looks_like_words)
            || self.apps.contains(&app)
            || self.apps.iter().any(escaped)
    }

    /// The application names, for a message.
    pub(crate) fn apps(&self) -> String {
        format!("{:?}", self.apps)
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}@{:?}", self.user, self.database)
    }
}

/// Whether a role or database of the truth is the one reported. The server cuts names at 63 bytes;
/// bytes that are not UTF-8 may be shown in any way.
pub(crate) fn is_same(truth: Option<&str>, reported: Option<&str>) -> bool {
    let (truth, reported) = match (non_empty(truth), non_empty(reported)) {
        (Some(truth), Some(reported)) => (truth, reported),
        (truth, reported) => return truth == reported,
    };
    let cut = truth.len() > 63
        && (60..=66).contains(&reported.len())
        && reported.as_bytes()[..60] == truth.as_bytes()[..60];
    let raw_bytes = reported.contains('\u{fffd}')
        || truth.contains("\\x")
        || (reported.contains("\\x") && !truth.is_ascii());
    truth == reported || cut || (raw_bytes && skeleton(truth) == skeleton(reported))
}

fn non_empty(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty())
}

/// The ways in which a server may show an application name: as it is, with each byte that is not
/// printable ASCII as `?` (to 15) or as `\xe2` (16 and later), each cut at 63 bytes.
fn app_forms(app: &str) -> BTreeSet<Option<String>> {
    if app.is_empty() {
        return [None].into();
    }
    let mut forms = vec![app.to_owned(), String::new(), String::new()];
    for byte in app.bytes() {
        if (32..127).contains(&byte) {
            forms[1].push(char::from(byte));
            forms[2].push(char::from(byte));
        } else {
            forms[1].push('?');
            write!(forms[2], "\\x{byte:02x}").expect("a string takes all");
        }
    }
    let cut: Vec<String> = forms
        .iter()
        .map(|form| form.chars().take(63).collect())
        .collect();
    forms.into_iter().chain(cut).map(Some).collect()
}

/// What is left of a name without the bytes that are shown in different ways.
fn skeleton(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut skeleton = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hex = part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        skeleton.push_str(if hex { &part[2..] } else { part });
    }
    skeleton.retain(|c| (' '..='~').contains(&c) && c != '?');
    skeleton
}
