//! The deployment's keys, and the secrets derived from them: nothing secret rests readable in the table.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use modbox_sandbox::{Incarnation, SandboxId};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::Error;

const NONCE_BYTES: usize = 24;

/// Named keys of 32 bytes. New secrets are made with the first; the others still open what they made.
#[derive(Clone)]
pub struct Keys {
    current: Arc<str>,
    keys: Arc<BTreeMap<String, [u8; 32]>>,
}

/// A text that is not a list of keys.
#[derive(Debug, thiserror::Error)]
#[error("keys must read `<id>:<base64 of 32 bytes>`, separated by commas, the current one first")]
pub struct InvalidKeys;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("current", &self.current).finish_non_exhaustive()
    }
}

impl std::str::FromStr for Keys {
    type Err = InvalidKeys;

    fn from_str(text: &str) -> Result<Self, InvalidKeys> {
        let mut keys = BTreeMap::new();
        let mut current = None;
        for entry in text.split(',') {
            let (id, key) =
                entry.trim().split_once(':').filter(|(id, _)| !id.is_empty()).ok_or(InvalidKeys)?;
            let key = STANDARD.decode(key).map_err(|_| InvalidKeys)?;
            keys.insert(id.to_owned(), <[u8; 32]>::try_from(key).map_err(|_| InvalidKeys)?);
            current.get_or_insert_with(|| id.to_owned());
        }
        Ok(Self { current: current.ok_or(InvalidKeys)?.into(), keys: Arc::new(keys) })
    }
}

impl Keys {
    /// The text form of one fresh key.
    pub fn generate(id: &str, random: [u128; 2]) -> String {
        let bytes: Vec<u8> = random.iter().flat_map(|part| part.to_le_bytes()).collect();
        format!("{id}:{}", STANDARD.encode(bytes))
    }

    pub fn current(&self) -> &str {
        &self.current
    }

    /// The token that the sandbox's runtime accepts.
    pub fn access_token(&self, key_id: &str, id: SandboxId) -> Result<String, Error> {
        let mac = self.mac(key_id, "access", id.to_string().as_bytes())?;
        Ok(format!("sbx_{}", hex(&mac)))
    }

    /// The token by which the API knows a task of the sandbox.
    pub fn task_token(&self, key_id: &str, id: SandboxId, incarnation: Incarnation) -> Result<String, Error> {
        let mac = self.mac(key_id, "task", format!("{id}/{incarnation}").as_bytes())?;
        Ok(format!("tsk_{}", hex(&mac)))
    }

    /// A fingerprint of a request that tells nothing of it.
    pub(crate) fn fingerprint(&self, request: &str) -> Result<String, Error> {
        self.fingerprint_with(&self.current, request)
    }

    /// Whether the fingerprint, made with whichever key, is of this request.
    pub(crate) fn is_fingerprint_of(&self, fingerprint: &str, request: &str) -> Result<bool, Error> {
        let key_id = fingerprint.split_once(':').map_or("", |(key_id, _)| key_id);
        Ok(self.fingerprint_with(key_id, request)? == fingerprint)
    }

    fn fingerprint_with(&self, key_id: &str, request: &str) -> Result<String, Error> {
        Ok(format!("{key_id}:{}", hex(&self.mac(key_id, "request", request.as_bytes())?)))
    }

    /// Seals an environment for this sandbox alone.
    pub(crate) fn seal(
        &self,
        id: SandboxId,
        env: &BTreeMap<String, String>,
        random: [u128; 2],
    ) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(random.iter().flat_map(|part| part.to_le_bytes())) {
            *to = from;
        }
        let (plain, aad) = (serde_json::to_vec(env).map_err(|_| Error::Unsealable)?, id.to_string());
        let payload = Payload { msg: &plain, aad: aad.as_bytes() };
        let sealed = self.cipher(&self.current)?.encrypt(&XNonce::from(nonce), payload);
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed.map_err(|_| Error::Unsealable)?);
        Ok(bytes)
    }

    pub(crate) fn open(
        &self,
        key_id: &str,
        id: SandboxId,
        sealed: &[u8],
    ) -> Result<BTreeMap<String, String>, Error> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Error::Unsealable)?;
        let aad = id.to_string();
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        let plain =
            self.cipher(key_id)?.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Error::Unsealable)?;
        serde_json::from_slice(&plain).map_err(|_| Error::Unsealable)
    }

    fn cipher(&self, key_id: &str) -> Result<XChaCha20Poly1305, Error> {
        let key = self.mac(key_id, "env", b"")?;
        XChaCha20Poly1305::new_from_slice(&key).map_err(|_| Error::Unsealable)
    }

    /// One key serves several ends, each under a label of its own.
    fn mac(&self, key_id: &str, label: &str, message: &[u8]) -> Result<[u8; 32], Error> {
        let unknown = || Error::UnknownKey(key_id.to_owned());
        let key = self.keys.get(key_id).ok_or_else(unknown)?;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| unknown())?;
        mac.update(b"modbox/1/");
        mac.update(label.as_bytes());
        mac.update(b"/");
        mac.update(message);
        Ok(mac.finalize().into_bytes().into())
    }
}

/// Compares two secrets in constant time.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[(&str, u128)]) -> Keys {
        let list: Vec<_> = ids.iter().map(|(id, seed)| Keys::generate(id, [*seed, *seed])).collect();
        list.join(",").parse().unwrap()
    }

    #[test]
    fn a_sealed_environment_opens_only_for_its_own_sandbox() {
        let keys = keys(&[("k1", 1)]);
        let (one, other) = (SandboxId::from_random(1), SandboxId::from_random(2));
        let env = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        let sealed = keys.seal(one, &env, [7, 8]).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(keys.open("k1", one, &sealed).unwrap(), env);
        assert!(matches!(keys.open("k1", other, &sealed), Err(Error::Unsealable)));
        assert!(matches!(keys.open("k1", one, &sealed[..10]), Err(Error::Unsealable)));
    }

    #[test]
    fn a_rotated_key_still_opens_what_it_made() {
        let id = SandboxId::from_random(1);
        let old = keys(&[("k1", 1)]);
        let new = keys(&[("k2", 2), ("k1", 1)]);
        assert_eq!(new.current(), "k2");
        assert_eq!(new.access_token("k1", id).unwrap(), old.access_token("k1", id).unwrap());
        assert_ne!(new.access_token("k2", id).unwrap(), old.access_token("k1", id).unwrap());
        let fingerprint = old.fingerprint("request").unwrap();
        assert!(new.is_fingerprint_of(&fingerprint, "request").unwrap());
        assert!(!new.is_fingerprint_of(&fingerprint, "another").unwrap());
        assert!(matches!(old.access_token("k2", id), Err(Error::UnknownKey(_))));
    }

    #[test]
    fn tokens_of_a_sandbox_differ_by_kind_sandbox_and_incarnation() {
        let keys = keys(&[("k1", 1)]);
        let (one, other) = (SandboxId::from_random(1), SandboxId::from_random(2));
        let tokens = [
            keys.access_token("k1", one).unwrap(),
            keys.access_token("k1", other).unwrap(),
            keys.task_token("k1", one, 1).unwrap(),
            keys.task_token("k1", one, 2).unwrap(),
            keys.task_token("k1", other, 1).unwrap(),
        ];
        let secrets: std::collections::BTreeSet<_> = tokens.iter().map(|token| &token[4..]).collect();
        assert_eq!(secrets.len(), tokens.len());
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused() {
        for bad in ["", "k1", "k1:", "k1:AAAA", ":AAAA", "k1:not base64"] {
            assert!(bad.parse::<Keys>().is_err(), "{bad}");
        }
    }
}
