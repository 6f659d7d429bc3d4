import { createRoute } from "@tanstack/react-router";
import type { Face, LiveView } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { Locked } from "../shared/states";

const live: LiveView = {
  tone: "connecting",
  label: "Locked",
  place: null,
  seen: null,
  detail: "The page has no session.",
};

const face: Face = {
  title: "Sonar",
  nav: [{ to: "/", label: "Home" }],
  useLive: () => live,
};

const root = faceRoot(face);
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <Locked command="sonar ui" />,
});

export const tree = root.addChildren([home]);
