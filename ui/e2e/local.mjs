// Pages that only one person may see: a link with a launch token opens them, as `mine ui`, `capsule ui` and `sonar ui` do.
import { join } from "node:path";
import { run, Service } from "./network.mjs";

/** Environment in which a program of the network acts for its owner. */
export function owner(network, program, home) {
  const prefix = program.toUpperCase();
  return {
    [`${prefix}_HOME`]: network.home(home),
    [`${prefix}_PASSPHRASE_FILE`]: join(network.out, "passphrase"),
  };
}

/** Opens the pages of a running program of the network in a new profile. */
export function openLocal(browser, network, program, home) {
  return async options => {
    // A link works once.
    const { link } = await run(program, ["ui", "--no-open"], owner(network, program, home));
    return enter(browser, link, options);
  };
}

/** Follows a link with a launch token. */
export async function enter(browser, link, options) {
  const view = await browser.open(new URL(link).origin, options);
  const answer = view.page.waitForResponse(
    response => new URL(response.url()).pathname === "/api/session" && response.request().method() === "POST",
  );
  await view.page.goto(link);
  await answer;
  return view;
}

/** Starts the desk of the network's data scientist. */
export async function openDesk(network) {
  const environment = owner(network, "sonar", "scientist");
  const args = ["ui", "--no-open", "--listen", "127.0.0.1:0", "--json"];
  const service = await Service.start("sonar", args, environment);
  const opener = browser => async options => {
    const { link } = await run("sonar", ["ui", "--no-open"], environment);
    return enter(browser, link, options);
  };
  return { service, environment, opener, stop: () => service.stop() };
}
