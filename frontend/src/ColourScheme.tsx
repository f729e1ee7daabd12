import { ActionIcon, type MantineColorScheme, useMantineColorScheme } from "@mantine/core";

const NEXT: Readonly<Record<MantineColorScheme, MantineColorScheme>> = { auto: "light", light: "dark", dark: "auto" };
const NAMES: Readonly<Record<MantineColorScheme, string>> = { auto: "as the system", light: "light", dark: "dark" };

/** As the system has it, until somebody says otherwise. */
export function ColourScheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const label = `Colours: ${NAMES[colorScheme]}. Change to ${NAMES[NEXT[colorScheme]]}`;
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(NEXT[colorScheme])}
    >
      <svg
        viewBox="0 0 20 20"
        width="18"
        height="18"
        aria-hidden="true"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
      >
        <circle cx="10" cy="10" r="7.2" fill={colorScheme === "dark" ? "currentColor" : "none"} />
        {colorScheme === "auto" && <path d="M10 2.8 a7.2 7.2 0 0 1 0 14.4 z" fill="currentColor" />}
      </svg>
    </ActionIcon>
  );
}
