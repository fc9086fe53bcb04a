//! Tokens: HS256 JWTs that say who a client is and what it may do.
//!
//! The algorithm is the key's, never the header's; `exp`, `aud`, `iss` and `sub` must be there.

use arqon_spine::{Grant, GrantError, Principal};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};

/// Whom tokens are for.
pub const AUDIENCE: &str = "arqonbus";
/// Who makes them.
pub const ISSUER: &str = "arqonbus";
/// Bytes of a token; a longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Bytes that a secret has at least.
const SECRET_BYTES_MIN: usize = 32;
/// Clocks may differ by this much.
const LEEWAY_SECONDS: u64 = 30;

/// Makes the signature library ready; every program does this once before its first token.
pub fn install_crypto() {
    // An error means that it is installed already, which is as good.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

/// The secret that tokens are signed with. It is never shown.
#[derive(Clone)]
pub struct TokenSecret(Vec<u8>);

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(***)")
    }
}

/// Why a token is not made or not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A secret that can be guessed.
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes, this one {0}")]
    ShortSecret(usize),
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token has {0} bytes, at most {TOKEN_BYTES_MAX}")]
    TooLong(usize),
    /// Its time is over; a session would end as soon as it began.
    #[error("the token has expired")]
    Expired,
    /// A header names extensions that must be understood, and none is.
    #[error("the token asks for extensions that are not known here")]
    Critical,
    /// Nobody holds it.
    #[error("the token names no holder")]
    NoHolder,
    /// Issued in the future.
    #[error("the token is issued in the future")]
    NotYetIssued,
    /// Signature, algorithm, time, audience, issuer or shape.
    #[error("the token is not accepted: {0}")]
    Refused(#[from] jsonwebtoken::errors::Error),
    /// A grant that nobody can read.
    #[error("the token grants what is unknown")]
    Grant(#[from] GrantError),
}

/// What a new token is to say.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Who holds it.
    pub principal: String,
    /// `can_publish:TOPIC`, `can_subscribe:TOPIC`, `can_admin:CIRCUIT`.
    pub grants: Vec<String>,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds that it is good for.
    pub valid_seconds: u64,
}

/// Who a token speaks for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The holder and its rights.
    pub principal: Principal,
    /// Seconds since 1970.
    pub expires_at: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    iss: String,
    exp: u64,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(default)]
    grants: Vec<String>,
}

impl TokenSecret {
    /// Wraps a secret of random bytes.
    ///
    /// # Errors
    /// If it is too short to withstand guessing.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TokenError> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(TokenError::ShortSecret(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// A token that says what is asked for.
    ///
    /// # Errors
    /// If a grant is unknown.
    pub fn mint(&self, request: &TokenRequest) -> Result<String, TokenError> {
        grants(&request.grants)?;
        let claims = Claims {
            sub: request.principal.clone(),
            aud: AUDIENCE.to_owned(),
            iss: ISSUER.to_owned(),
            exp: request.issued_at.saturating_add(request.valid_seconds),
            iat: request.issued_at,
            nbf: None,
            grants: request.grants.clone(),
        };
        let key = EncodingKey::from_secret(&self.0);
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
    }

    /// Who holds the token. `now` is in seconds since 1970; expiry is also checked by the clock.
    ///
    /// # Errors
    /// [`TokenError`] if anything about it is not as it must be.
    pub fn check(&self, token: &str, now: u64) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong(token.len()));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        let key = DecodingKey::from_secret(&self.0);
        let TokenData { header, claims } =
            jsonwebtoken::decode::<Claims>(token, &key, &validation)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if claims.sub.is_empty() {
            return Err(TokenError::NoHolder);
        }
        if claims.exp <= now {
            return Err(TokenError::Expired);
        }
        if claims.iat > now.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::NotYetIssued);
        }
        let principal = Principal { name: claims.sub, grants: grants(&claims.grants)? };
        Ok(Identity { principal, expires_at: claims.exp })
    }
}

/// The grants of this bus; rights to execute are another room's and are passed over.
fn grants(texts: &[String]) -> Result<Vec<Grant>, GrantError> {
    texts
        .iter()
        .filter(|text| !text.starts_with("can_execute:"))
        .map(|text| Grant::parse(text))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the edge reads the clock")]
pub(crate) fn unix_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
