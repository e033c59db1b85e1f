//! Keys that bundles are signed with: elliptic-curve keys on P-256 in PEM, as OpenSSL writes them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use artifact::{FileError, sha256_bytes};
use p256::SecretKey;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, LineEnding};

/// No key is longer, in bytes.
const LONGEST: u64 = 1 << 16;

/// Labels of PEM, by what stands under them.
const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// How to make a key that is taken here.
const MAKE: &str = "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE` makes one";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("{path} {reason}")]
    Unfit {
        /// The file.
        path: String,
        /// What it is instead, and what to do.
        reason: String,
    },
}

/// What signs.
pub struct PrivateKey(SigningKey);

/// What proves a signature.
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// Reads a private key: PKCS #8, or the older form of SEC 1.
    ///
    /// # Errors
    /// When the file cannot be read, is protected by a password, or holds another kind of key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let unfit = |reason: String| KeyError::Unfit { path: path.display().to_string(), reason };
        let key = match (block(&text, PKCS8), block(&text, SEC1)) {
            (Some(pem), _) => SecretKey::from_pkcs8_pem(pem).ok(),
            (None, Some(pem)) if !pem.contains("ENCRYPTED") => SecretKey::from_sec1_pem(pem).ok(),
            _ => None,
        };
        match key {
            Some(key) => Ok(Self(key.into())),
            None if text.contains("ENCRYPTED") => Err(unfit(format!(
                "is protected by a password, which is not asked for; `openssl pkey -in {} -out FILE` writes the key without one",
                path.display()
            ))),
            None if block(&text, PUBLIC).is_some() => {
                Err(unfit("holds a public key, and the private one signs".to_owned()))
            }
            None => Err(unfit(format!("is no private elliptic-curve key on P-256 in PEM; {MAKE}"))),
        }
    }

    /// The other half of the key.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// Signs by ECDSA with SHA-256: ASN.1 in DER. The same message gives the same bytes (RFC 6979).
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }
}

impl PublicKey {
    /// Reads a public key (SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// When the file cannot be read, or holds another kind of key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let reason = match block(&text, PUBLIC).map(VerifyingKey::from_public_key_pem) {
            Some(Ok(key)) => return Ok(Self(key)),
            None if text.contains(PKCS8) => format!(
                "holds a private key, and a public one is wanted, which others may have: `openssl pkey -in {} -pubout` prints it",
                path.display()
            ),
            _ => format!(
                "is no public elliptic-curve key on P-256 in PEM; {MAKE}, and `openssl pkey -in FILE -pubout` prints its public half"
            ),
        };
        Err(KeyError::Unfit { path: path.display().to_string(), reason })
    }

    /// The SHA-256 of the key in PEM, by which signatures name it.
    pub fn hint(&self) -> String {
        // A point on the curve has an encoding.
        let pem = self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default();
        sha256_bytes(pem.as_bytes()).to_string()
    }

    /// Whether `signature`, in DER, is this key's over `message`.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_der(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    let file = File::open(path).map_err(FileError::new("open", path))?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(FileError::new("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The part of a PEM file under this label; others may stand beside it, as OpenSSL writes parameters before a key.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let end = format!("-----END {label}-----");
    let from = text.get(text.find(&format!("-----BEGIN {label}-----"))?..)?;
    from.get(..from.find(&end)? + end.len())
}
