//! The workspace's own tasks: `cargo xtask page` builds the browser client into the place from which the server's next build
//! embeds it, `cargo xtask demo` does that and starts the server, `cargo xtask js` builds the package for JavaScript,
//! `cargo xtask benchmarks` writes measured figures into their document. No other task
//! needs more than cargo.

mod bundle;

mod capacity;

mod toolchain;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use toolchain::Program;

const USAGE: &str = "\
cargo xtask page             builds the browser client; the next build of the server embeds it
cargo xtask demo [FLAGS]     builds it and the server, and starts the server with these flags
cargo xtask demo --open      the same, and opens the page in the default browser
cargo xtask js               builds the package for JavaScript in shared/js/pkg
cargo xtask benchmarks       writes how many clients are fine into BENCHMARKS.md, from tests/results";

/// The browser client, and the client for JavaScript.
const PAGE: Program = Program { package: "tickwire-demo", features: "window" };
const JS: Program = Program { package: "tickwire-js", features: "" };

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "page" if rest.is_empty() => page(),
        "js" if rest.is_empty() => js(),
        "benchmarks" if rest.is_empty() => benchmarks(),
        "demo" => page().and_then(|()| demo(rest)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The cargo that runs this task.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} failed: {status}", command.get_program().display()).into()),
        Err(error) => Err(format!("{}: {error}", command.get_program().display()).into()),
    }
}

fn page() -> Outcome {
    let program = toolchain::find()?.build(&PAGE, &root())?;
    let total = bundle::page(&program, &root().join("client-demo/web"), &root().join("server/page"))?;
    println!("the page is built: {:.2} MiB to transfer; the next build of the server embeds it", total);
    Ok(())
}

fn benchmarks() -> Outcome {
    let text = capacity::document(&root())?;
    Ok(std::fs::write(root().join("BENCHMARKS.md"), text)?)
}

fn js() -> Outcome {
    let (home, folder) = (root().join("shared/js"), root().join("shared/js/pkg"));
    let said = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    if !std::fs::read_to_string(home.join("package.json"))?.contains(&said) {
        return Err(format!("shared/js/package.json is of another version: {said} is the workspace's").into());
    }
    let program = toolchain::find()?.build(&JS, &root())?;
    let ours = ["package.json", "README.md"].map(|file| home.join(file));
    let licences = ["LICENSE-MIT", "LICENSE-APACHE"].map(|file| root().join(file));
    bundle::package(&program, &[ours, licences].concat(), &folder)?;
    println!("the package is in {}: `npm install` takes that folder", folder.display());
    Ok(())
}

fn demo(mut flags: Vec<String>) -> Outcome {
    let opens = flags.iter().position(|flag| flag == "--open").map(|at| flags.remove(at)).is_some();
    run(cargo().args(["build", "--release", "-p", "tickwire-server"]))?;
    let mut server = cargo();
    server.args(["run", "--quiet", "--release", "-p", "tickwire-server", "--"]).args(&flags);
    if !opens {
        // It prints the URL itself.
        return run(&mut server);
    }
    let mut running = server.spawn()?;
    let address = flags.iter().position(|flag| flag == "--listen").and_then(|at| flags.get(at + 1));
    let scheme = if flags.iter().any(|flag| flag.starts_with("--tls")) { "https" } else { "http" };
    let url = format!("{scheme}://{}", address.map_or("127.0.0.1:7777", String::as_str));
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    std::thread::sleep(std::time::Duration::from_millis(500));
    if run(Command::new(opener).arg(&url)).is_err() {
        println!("no browser could be opened here; the page is at {url}");
    }
    let status = running.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the server failed: {status}").into()) }
}
