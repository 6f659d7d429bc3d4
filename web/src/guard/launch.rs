//! How the pages are opened: the file that a running server leaves in its home, and the browser.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sonar_node::{
    cli::{Code, Failure, Output, Report},
    files::{self, Access, FileError},
};
use tokio::{net::TcpStream, process::Command, time::timeout};

/// Size limit of the file in bytes.
const LIMIT: u64 = 4_096;
/// How long a server on this machine may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// `ui.json` in a home: where the running server is, and the token that opens a session. Only the owner can read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UiFile {
    /// Base URL of the server.
    pub url: String,
    /// The launch token; each works once.
    pub token: String,
}

impl std::fmt::Debug for UiFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UiFile").field("url", &self.url).finish_non_exhaustive()
    }
}

impl UiFile {
    /// Its place in a home.
    #[must_use]
    pub fn path(home: &Path) -> PathBuf {
        home.join("ui.json")
    }

    /// Reads the file of a home.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(home: &Path) -> Result<Self, FileError> {
        let path = Self::path(home);
        let bytes = files::read_limited(&path, LIMIT)?;
        serde_json::from_slice(&bytes).map_err(|error| FileError::new("read", &path)(error.into()))
    }

    /// Writes the file of a home.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, home: &Path) -> Result<(), FileError> {
        let path = Self::path(home);
        let text = serde_json::to_vec(self).map_err(|error| FileError::new("write", &path)(error.into()))?;
        files::write_atomic(&path, &text, Access::Private)
    }

    /// The link that opens the pages. The token is in the fragment, which no browser sends or logs.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{}/#t={}", self.url, self.token)
    }

    /// Whether something listens at the address. The file of a killed server stays behind.
    async fn is_served(&self) -> bool {
        let Some(Ok(address)) = self.url.strip_prefix("http://").map(str::parse::<SocketAddr>) else { return false };
        matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
    }
}

/// `… ui`: opens the pages of the server that runs with this home. `daemon` is the command that starts it.
///
/// # Errors
/// When it does not run.
pub async fn open_browser(home: &Path, daemon: &str, no_open: bool, output: &Output) -> Result<Report, Failure> {
    let not_running = || {
        let message = format!("no program shows its pages with the home {}", home.display());
        Failure::new(Code::NotRunning, message)
            .help(format!("start `{daemon}` first, or pass its directory with --home"))
    };
    let file = match UiFile::read(home) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Err(not_running()),
        file => file?,
    };
    if !file.is_served().await {
        return Err(not_running());
    }
    let link = file.link();
    show_link(&link, no_open, output);
    Report::new(&json!({ "url": file.url, "link": link }), link)
}

/// Opens a link in the browser, unless `no_open`.
pub fn show_link(link: &str, no_open: bool, output: &Output) {
    if no_open {
        return;
    }
    if let Err(error) = start_browser(link) {
        output.warn(format!("cannot open a browser ({error}); open the link yourself"));
    }
}

/// Starts the browser that the system prefers. It may live longer than this process.
fn start_browser(link: &str) -> io::Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    // Without a display, `xdg-open` would start a browser for terminals, which nobody sees.
    if !cfg!(target_os = "macos") && !has_display {
        return Err(io::Error::new(io::ErrorKind::NotFound, "this session has no display"));
    }
    let quiet = Command::new(opener).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    quiet.map(drop)
}
