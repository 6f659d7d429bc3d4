import { createRoute } from "@tanstack/react-router";
import type { Face } from "../shared/face";
import { faceRoot } from "../shared/face-root";
import { Empty } from "../shared/states";

const face: Face = {
  title: "Sonar",
  nav: [{ to: "/", label: "Campaigns" }],
  useLive: () => ({ tone: "connecting", label: "Connecting", place: null, seen: null, detail: "" }),
};

const root = faceRoot(face);
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <Empty title="No campaigns" />,
});

export const tree = root.addChildren([home]);
