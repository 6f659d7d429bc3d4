/** What the server wrote into the page's head: which face to show, the nonce of styles, and the chain that the page may read. */

export type FaceName = "public" | "desk" | "mine" | "capsule";

const FACES: readonly string[] = ["public", "desk", "mine", "capsule"];

function meta(name: string): string {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute("content")?.trim() ?? "";
}

function faceName(): FaceName {
  const name = meta("face");
  return FACES.includes(name) ? (name as FaceName) : "public";
}

export const config = {
  face: faceName(),
  /** For `<style>` elements: the content security policy allows no others. */
  nonce: meta("csp-nonce"),
  /** A chain node that the page may ask, so that figures need not be believed; empty without one. */
  publicRpc: meta("public-rpc"),
};
