//! The token that a request carries: `Authorization: Bearer …`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use subtle::ConstantTimeEq as _;

/// Where the token is, if no file has it. An argument would be seen by all who see processes.
const VARIABLE: &str = "PGCENSUS_TOKEN";

/// A shorter one could be guessed.
const BYTES_MIN: usize = 16;

/// A longer one finds no room in a request.
const BYTES_MAX: usize = 4096;

/// What a request must carry. It is never shown.
pub(crate) struct Token(Box<[u8]>);

impl Token {
    /// That of a file, else of the environment, if it is there.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Option<Token>> {
        if let Some(path) = file {
            let context = || format!("--token-file {}", path.display());
            let mut text = Vec::new();
            let file = File::open(path).with_context(context)?;
            // Not all of what may be a device without end.
            file.take(BYTES_MAX as u64 + 2)
                .read_to_end(&mut text)
                .with_context(context)?;
            return Token::new(&text).with_context(context).map(Some);
        }
        match std::env::var_os(VARIABLE) {
            Some(text) => Token::new(text.as_encoded_bytes())
                .context(VARIABLE)
                .map(Some),
            None => Ok(None),
        }
    }

    fn new(text: &[u8]) -> anyhow::Result<Token> {
        let text = text.trim_ascii();
        if !text.iter().all(u8::is_ascii_graphic) {
            bail!("a token is of ASCII letters, digits and signs, without spaces");
        }
        if text.len() < BYTES_MIN {
            bail!(
                "a token has {BYTES_MIN} characters at least, lest it be guessed: openssl rand -hex 32"
            );
        }
        if text.len() > BYTES_MAX {
            bail!("a token has {BYTES_MAX} characters at most");
        }
        Ok(Token(text.into()))
    }

    /// Whether a header carries it. How long that takes tells nothing of it but its length.
    pub(crate) fn is_in(&self, header: &[u8]) -> bool {
        let (scheme, text) = header.split_at_checked(7).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(self.0.ct_eq(text.trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_that_one_alone() {
        let token = Token::new(b"0123456789abcdef\n").expect("long enough");
        assert!(token.is_in(b"Bearer 0123456789abcdef"));
        assert!(token.is_in(b"bearer  0123456789abcdef"));
        for header in [
            "",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "Bearer0123456789abcdef",
        ] {
            assert!(!token.is_in(header.as_bytes()), "{header}");
        }
    }

    #[test]
    fn what_could_be_guessed_is_no_token() {
        for text in [
            "",
            "short",
            "0123456789abcde",
            "0123456789 abcdef",
            "0123456789abcdé",
        ] {
            assert!(Token::new(text.as_bytes()).is_err(), "{text}");
        }
    }
}
