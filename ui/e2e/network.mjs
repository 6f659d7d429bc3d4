// A real local network: chain, Sonar, Capsule and Mines, as `localnet demo --keep` starts them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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

  /** Process ids of a program of this network, from its lock of the kernel's process table. */
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

/** The data of the first row of a CSV file's text, without its header. */
export const text = path => readFileSync(path, "utf8");
