// What people call the browser that a session's User-Agent names.

// The first that fits: Edge and Opera also say Chrome, and Chrome also says Safari.
const BROWSERS = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|Chromium|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
  [/^(?!Mozilla\/)([\w.-]+)\//, null],
];
// Android also says Linux, and an iPhone Mac OS X.
const SYSTEMS = [
  [/\bAndroid\b/, "Android"],
  [/\b(iPhone|iPad)\b/, null],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

function first(rules, text) {
  for (const [pattern, name] of rules) {
    const found = pattern.exec(text);
    if (found) return name ?? found[1];
  }
  return "";
}

/** "Firefox on Linux"; a program by its own name; the text itself where it is neither. */
export function browserName(userAgent) {
  const browser = first(BROWSERS, userAgent);
  const system = first(SYSTEMS, userAgent);
  if (!browser) return userAgent || "Unknown";
  return system ? `${browser} on ${system}` : browser;
}
