//! Credentials from a Docker credential helper (`proxy.exec`): `<command> get`, the registry's URL on its standard
//! input, JSON on its standard output.

use std::{process::Stdio, time::Duration};

use futures_util::future::BoxFuture;
use larder_distribution::client::{Credentials, Login};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command, sync::Mutex, time::Instant};

/// How long a helper may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// Asks a helper, and keeps its answer for a while.
pub(super) struct Helper {
    command: String,
    url: String,
    /// Zero: ask each time. `None`: once.
    lifetime: Option<Duration>,
    kept: Mutex<Option<(Instant, Login)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: SecretString,
}

impl Helper {
    pub(super) fn new(command: &str, url: &str, lifetime: Option<Duration>) -> Self {
        Self { command: command.to_owned(), url: url.to_owned(), lifetime, kept: Mutex::default() }
    }

    async fn login(&self) -> Result<Login, String> {
        let mut kept = self.kept.lock().await;
        if let Some((since, login)) = &*kept
            && self.lifetime.is_none_or(|lifetime| since.elapsed() < lifetime)
        {
            return Ok(login.clone());
        }
        let login = tokio::time::timeout(DEADLINE, self.ask()).await;
        let login = login.map_err(|_| format!("{} did not answer within {DEADLINE:?}", self.command))??;
        *kept = Some((Instant::now(), login.clone()));
        Ok(login)
    }

    async fn ask(&self) -> Result<Login, String> {
        let failed = |why: String| format!("credential helper {}: {why}", self.command);
        let mut child = Command::new(&self.command)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that reads nothing says so by what it answers.
            let _ = stdin.write_all(self.url.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(format!("it ended with {}", output.status)));
        }
        // What it printed may hold the secret: it is in no error.
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| failed("its answer is not {\"Username\":…,\"Secret\":…}".to_owned()))?;
        Ok(Login { username: answer.username, password: answer.secret })
    }
}

impl Credentials for Helper {
    fn get(&self) -> BoxFuture<'_, Result<Option<Login>, String>> {
        Box::pin(async { self.login().await.map(Some) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    fn script(folder: &tempfile::TempDir, text: &str) -> String {
        let path = folder.path().join("docker-credential-test");
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn asks_once_in_its_lifetime() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let text = format!(
            "#!/bin/sh\necho x >>{}\nread url\necho '{{\"ServerURL\":\"'$url'\",\"Username\":\"u-'$1'\",\"Secret\":\"s\"}}'\n",
            count.display()
        );
        let command = script(&folder, &text);
        for (lifetime, asked) in [(None, 1), (Some(Duration::from_secs(60)), 1), (Some(Duration::ZERO), 3)] {
            let _ = std::fs::remove_file(&count);
            let helper = Helper::new(&command, "https://r.io/", lifetime);
            for _ in 0..3 {
                let login = helper.get().await.unwrap().unwrap();
                assert_eq!((&*login.username, login.password.expose_secret()), ("u-get", "s"));
            }
            assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), asked);
        }
    }

    #[tokio::test]
    async fn says_what_went_wrong_and_never_the_secret() {
        for (text, needle) in [
            ("#!/bin/sh\necho s3cret\n", "its answer is not"),
            ("#!/bin/sh\necho s3cret >&2\nexit 3\n", "exit status: 3"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let command = script(&folder, text);
            let error = Helper::new(&command, "https://r.io/", None).get().await.unwrap_err();
            assert!(error.contains(needle) && !error.contains("s3cret"), "{error}");
        }
        let error = Helper::new("/does/not/exist", "https://r.io/", None).get().await.unwrap_err();
        assert!(error.contains("/does/not/exist"), "{error}");
    }
}
