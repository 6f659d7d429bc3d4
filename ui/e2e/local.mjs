// Pages that only one person may see: a link with a launch token opens them, as `mine ui`, `capsule ui` and `sonar ui` do.
import { run, Service } from "./network.mjs";

/** Opens the pages of a running program of the network in a new profile. */
export function openLocal(browser, network, program, home) {
  return async options => {
    // A link works once.
    const { link } = await run(program, ["ui", "--no-open"], network.owner(program, home));
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
  const environment = network.owner("sonar", "scientist");
  const args = ["ui", "--no-open", "--listen", "127.0.0.1:0", "--json"];
  const service = await Service.start("sonar", args, environment);
  const opener = browser => async options => {
    const { link } = await run("sonar", ["ui", "--no-open"], environment);
    return enter(browser, link, options);
  };
  return { service, environment, opener, stop: () => service.stop() };
}
