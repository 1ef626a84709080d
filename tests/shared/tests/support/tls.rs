//! A CA of the test's own, and a server with a certificate of it.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::{Server, server};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// The file of its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server of this name, and its port for TLS. `None` if there is no server, or none with TLS.
    pub(crate) fn server(&self, name: &str) -> Option<(Server, u16)> {
        if !server::is_there() || !server::knows_tls() {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = self.options(name, port);
        Some((Server::start(&options.iter().map(|option| &**option).collect::<Vec<_>>())?, port))
    }

    /// The options of a server of this name, for TLS on this port. It has a certificate of its own.
    pub(crate) fn options(&self, name: &str, port: u16) -> Vec<String> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str| self.folder.path().join(format!("{port}.{ending}"));
        let [certificate_file, key_file] = ["pem", "key"].map(file);
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        let options = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", certificate_file.display().to_string()),
            ("--tls-key-file", key_file.display().to_string()),
            ("--tls-ca-cert-file", self.file().display().to_string()),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        options.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }
}
