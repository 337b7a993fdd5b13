use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use subtle::{Choice, ConstantTimeEq};

use crate::Runtime;
use crate::failure::Failure;

/// The tokens that open the runtime. None: nothing does.
pub(crate) struct Tokens(Vec<String>);

impl Tokens {
    pub(crate) fn new(tokens: impl Iterator<Item = String>) -> Self {
        Self(tokens.collect())
    }

    /// Takes the same time whichever token is near, and however near; only a token's length may show.
    fn accept(&self, given: &str) -> bool {
        let same = |token: &String| token.as_bytes().ct_eq(given.as_bytes());
        self.0.iter().map(same).fold(Choice::from(0), |any, this| any | this).into()
    }
}

/// Lets a request through whose `Authorization` carries one of the tokens.
pub(crate) async fn require_token(
    State(runtime): State<Arc<Runtime>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let header = request.headers().get(AUTHORIZATION).ok_or(Failure::Unauthenticated)?;
    let given = header.to_str().ok().and_then(bearer).ok_or(Failure::Unauthenticated)?;
    if runtime.tokens.accept(given) { Ok(next.run(request).await) } else { Err(Failure::InvalidToken) }
}

/// The scheme's name is in any case (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(tokens: &[&str]) -> Tokens {
        Tokens::new(tokens.iter().map(|token| (*token).to_owned()))
    }

    #[test]
    fn each_token_opens_and_nothing_else_does() {
        let two = tokens(&["first", "second"]);
        assert!(two.accept("first") && two.accept("second"));
        for other in ["", "firs", "firstt", "First", "third", "first,second"] {
            assert!(!two.accept(other), "{other}");
        }
    }

    #[test]
    fn without_tokens_nothing_opens() {
        assert!(!tokens(&[]).accept(""));
    }

    #[test]
    fn a_bearer_is_read_whatever_its_case() {
        assert_eq!(bearer("Bearer a"), Some("a"));
        assert_eq!(bearer("bearer  a"), Some("a"));
        assert_eq!(bearer("Basic a"), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
