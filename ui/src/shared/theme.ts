/** Mantine's theme: our colours, and defaults that pass WCAG 2.2 AA where Mantine's own do not. */

import {
  ActionIcon,
  Button,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  type MantineColorsTuple,
  Menu,
  Modal,
  Notification,
  Tooltip,
} from "@mantine/core";

const indigo: MantineColorsTuple = [
  "#eceefc",
  "#d9ddf9",
  "#b6bdf3",
  "#9daaff",
  "#7a88ea",
  "#6272dd",
  "#4353c9",
  "#3a48b3",
  "#313d99",
  "#273180",
];

const CLOSE = { closeButtonProps: { "aria-label": "Close" } };

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 6, dark: 6 },
  colors: { indigo },
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  fontFamilyMonospace: "var(--mono)",
  headings: { fontFamily: '"Inter Variable", system-ui, sans-serif', fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Modal: Modal.extend({
      styles: { title: { fontSize: 17, fontWeight: 650, letterSpacing: "-0.01em" } },
      defaultProps: { ...CLOSE, radius: "lg", overlayProps: { backgroundOpacity: 0.45 } },
    }),
    // Its element is a <header>, which is a banner of the page unless it has another role.
    ModalHeader: Modal.Header.extend({ defaultProps: { role: "presentation" } }),
    Drawer: Drawer.extend({
      styles: { title: { fontSize: 17, fontWeight: 650, letterSpacing: "-0.01em" } },
      defaultProps: { ...CLOSE, overlayProps: { backgroundOpacity: 0.45 } },
    }),
    DrawerHeader: Drawer.Header.extend({ defaultProps: { role: "presentation" } }),
    // Its placeholder for the focus is no item of a menu. Where the menu is called from is in a landmark.
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false, withinPortal: false } }),
    Notification: Notification.extend({
      defaultProps: CLOSE,
      styles: { description: { color: "var(--ink-muted)" } },
    }),
    Tooltip: Tooltip.extend({
      defaultProps: {
        withArrow: true,
        openDelay: 250,
        multiline: true,
        maw: 320,
        events: { hover: true, focus: true, touch: true },
      },
    }),
    Button: Button.extend({ defaultProps: { fw: 550 } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray" } }),
  },
});

export const resolver: CSSVariablesResolver = () => {
  const both = {
    "--mantine-color-body": "var(--surface)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--ink-muted)",
    "--mantine-color-placeholder": "var(--ink-muted)",
    "--mantine-color-anchor": "var(--accent)",
    "--mantine-color-error": "var(--bad)",
    "--mantine-color-default": "var(--surface)",
    "--mantine-color-default-hover": "var(--surface-sunken)",
    "--mantine-color-default-color": "var(--ink)",
    "--mantine-color-default-border": "var(--line-control)",
    "--mantine-color-gray-light-color": "var(--ink-muted)",
    "--mantine-color-gray-light-hover": "var(--surface-sunken)",
    "--mantine-color-indigo-light": "var(--accent-soft)",
    "--mantine-color-indigo-light-color": "var(--accent)",
    "--mantine-color-red-light": "var(--bad-soft)",
    "--mantine-color-red-light-color": "var(--bad)",
    "--mantine-color-red-filled": "#b3261e",
  };
  // Borders of fields, which need 3:1, and what lies above the page.
  const light = { ...both, "--mantine-color-gray-4": "var(--line-control)" };
  const dark = {
    ...both,
    "--mantine-color-dark-4": "var(--line-control)",
    "--mantine-color-dark-6": "var(--surface-raised)",
  };
  return { variables: {}, light, dark };
};
