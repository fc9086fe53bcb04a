//! Tokens that are believed, and the many that are not.

use arqon_spine::Action;
use arqon_types::TopicName;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{TOKEN_BYTES_MAX, TokenError, TokenRequest, TokenSecret, install_crypto, unix_seconds};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn secret() -> TokenSecret {
    install_crypto();
    TokenSecret::new(SECRET.to_vec()).unwrap()
}

fn request(grants: &[&str]) -> TokenRequest {
    TokenRequest {
        principal: "alice".into(),
        grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        issued_at: unix_seconds(),
        valid_seconds: 60,
    }
}

fn signed(claims: &Value, secret: &[u8]) -> String {
    install_crypto();
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

fn claims() -> Value {
    let now = unix_seconds();
    json!({"sub": "alice", "aud": "arqonbus", "iss": "arqonbus", "iat": now, "exp": now + 60,
        "grants": ["can_publish:a"]})
}

#[test]
fn a_minted_token_is_believed() {
    let secret = secret();
    let token = secret.mint(&request(&["can_publish:shop.*", "can_execute:nvm"])).unwrap();
    let identity = secret.check(&token, unix_seconds()).unwrap();
    assert_eq!(identity.principal.name, "alice");
    let topic = TopicName::parse("shop.orders").unwrap();
    assert!(identity.principal.may(Action::Publish, &topic));
    assert!(!identity.principal.may(Action::Subscribe, &topic));
    assert!(secret.mint(&request(&["can_fly"])).is_err());
    assert!(matches!(TokenSecret::new(vec![0; 31]), Err(TokenError::ShortSecret(31))));
    assert!(!format!("{secret:?}").contains("0123"));
}

#[test]
fn a_token_that_lacks_or_mistypes_a_claim_is_refused() {
    let secret = secret();
    let now = unix_seconds();
    assert!(secret.check(&signed(&claims(), SECRET), now).is_ok());
    for claim in ["exp", "aud", "iss", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert!(secret.check(&signed(&claims, SECRET), now).is_err(), "without {claim}");
    }
    let odd = [
        ("exp", json!(now - 31)),
        ("exp", json!(now - 1)),
        ("exp", json!("1e99")),
        ("exp", json!(-1)),
        ("exp", json!(1e99)),
        ("exp", json!(1.5)),
        ("exp", Value::Null),
        ("nbf", json!(now + 3600)),
        ("nbf", json!("x")),
        ("iat", json!(now + 3600)),
        ("aud", json!("other")),
        ("aud", json!(["arqonbus", "other"])),
        ("iss", json!("other")),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("grants", json!(["can_publish:A"])),
        ("grants", json!("can_publish:a")),
    ];
    for (claim, value) in odd {
        let mut claims = claims();
        claims[claim] = value.clone();
        assert!(secret.check(&signed(&claims, SECRET), now).is_err(), "{claim} = {value}");
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    let secret = secret();
    let now = unix_seconds();
    assert!(secret.check(&signed(&claims(), b"another secret of thirty-two bytes"), now).is_err());
    let good = signed(&claims(), SECRET);
    let [_, body, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"nOnE"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","crit":["b64"]}"#,
        "{}",
    ] {
        let header = base64url(header.as_bytes());
        for signature in [signature, ""] {
            let token = format!("{header}.{body}.{signature}");
            assert!(secret.check(&token, now).is_err(), "{token}");
        }
    }
    let header = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(SECRET);
    let critical = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    assert!(matches!(secret.check(&critical, now), Err(TokenError::Critical)));
    for odd in ["", ".", "..", "a.b.c", &good[1..], &format!("{good}."), &format!("{good}{good}")] {
        assert!(secret.check(odd, now).is_err(), "{odd}");
    }
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    assert!(matches!(secret.check(&long, now), Err(TokenError::TooLong(_))));
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(LETTERS[six as usize]));
        }
    }
    text
}
