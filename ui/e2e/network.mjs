// A real local network: chain, Sonar, Capsule and Mines, as `localnet demo --keep` starts them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const BIN = process.env.SONAR_BIN ?? new URL("../../target/release", import.meta.url).pathname;

/** Path of one of the programs that `make build` made. */
export const program = name => join(BIN, name);

/** A network whose campaign has ended. */
export class Network {
  /** Runs a demo and keeps its network. */
  static async start({ dataset = "breast-cancer", mines = 2 } = {}) {
    const directory = mkdtempSync(join(tmpdir(), "sonar-ui-"));
    const out = join(directory, "network");
    const args = ["demo", "--keep", "--json", "--dataset", dataset, "--mines", String(mines), "--out", out];
    const service = await Service.start("localnet", args);
    const ready = JSON.parse(readFileSync(join(out, "homes/sonar/ready.json"), "utf8"));
    return new Network(directory, out, service, ready.http);
  }

  constructor(directory, out, service, sonar) {
    Object.assign(this, { directory, out, service, sonar });
    /** Id of the finished campaign. */
    this.campaign = service.first.data.campaign;
    this.report = service.first.data;
  }

  home(name) {
    return join(this.out, "homes", name);
  }

  /** Environment in which a program of the network acts for the owner of this home. */
  owner(name, home) {
    const prefix = name.toUpperCase();
    return {
      [`${prefix}_HOME`]: this.home(home),
      [`${prefix}_PASSPHRASE_FILE`]: join(this.out, "passphrase"),
    };
  }

  /** Launches the demo's campaign once more; returns its id. */
  async relaunch() {
    const args = ["campaign", "launch", join(this.out, "campaign.toml"), "--again", "--yes"];
    return (await run("sonar", args, this.owner("sonar", "scientist"))).id;
  }

  /** Sends a signal to the processes whose command line contains this text: to halt, resume or kill them. */
  signal(text, signal) {
    const found = descendants(this.service.child.pid).filter(pid => commandLine(pid).includes(text));
    if (found.length === 0) throw new Error(`no process of the network has "${text}" in its command line`);
    for (const pid of found) process.kill(pid, signal);
  }

  /** A call of the chain's RPC. */
  async rpc(method, params = []) {
    const url = readFileSync(join(this.out, "rpc"), "utf8").trim();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const { result, error } = await answer.json();
    if (error) throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
    return result;
  }

  /** Waits until a campaign is in one of these states. */
  async reached(id, ...states) {
    // The stream tells when something happened, so nothing is asked in vain.
    const stream = await fetch(`${this.sonar}/api/v1/events?campaign=${id}&after=0-0`);
    for await (const _ of stream.body) {
      const { state } = await this.json(`/api/v1/campaigns/${id}`);
      if (states.includes(state)) return state;
    }
    throw new Error("Sonar ended its stream of events");
  }

  async json(path) {
    const response = await fetch(`${this.sonar}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async stop() {
    await this.service.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A program that runs until it is stopped. Its first line on stdout is JSON. */
export class Service {
  static async start(name, args, environment = {}) {
    const child = spawn(program(name), args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const log = [];
    createInterface({ input: child.stderr }).on("line", line => log.push(line));
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`${name} ended with code ${code}:\n${log.slice(-20).join("\n")}`);
    });
    const [line] = await Promise.race([once(lines, "line"), ended]);
    // From here on, an end is not an error: the tests stop it themselves.
    ended.catch(() => {});
    return new Service(child, JSON.parse(line), log);
  }

  constructor(child, first, log) {
    Object.assign(this, { child, first, log });
  }

  async stop(signal = "SIGINT") {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill(signal);
    await exit;
  }
}

/** Runs a program to its end and returns the data of its JSON answer. */
export async function run(name, args, environment = {}) {
  const child = spawn(program(name), [...args, "--json"], { env: { ...process.env, ...environment } });
  let [out, error] = ["", ""];
  child.stdout.on("data", data => (out += data));
  child.stderr.on("data", data => (error += data));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${name} ${args.join(" ")} ended with code ${code}:\n${out}${error}`);
  return JSON.parse(out).data;
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    // It has ended.
    return "";
  }
}

/** Processes that this process started, and those that they started. */
function descendants(root) {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter(name => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      parents.set(Number(name), Number(parent));
    } catch {
      // It has ended.
    }
  }
  const found = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (found.has(parent) && !found.has(pid)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return [...found];
}
