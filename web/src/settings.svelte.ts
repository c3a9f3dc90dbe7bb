import { THEMES, type Theme, type ThemeName } from './kernel/colour.ts';

/** What belongs to this reader and not to a link: theme and whether the side panel is open. */
export type ThemeChoice = ThemeName | 'system';

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

export class Settings {
  #choice = $state<ThemeChoice>((stored('deeptracker.theme') as ThemeChoice | null) ?? 'system');
  #systemIsDark = $state(false);
  #panel = $state(stored('deeptracker.panel') !== 'closed');

  constructor() {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.#systemIsDark = dark.matches;
    dark.addEventListener('change', (event) => (this.#systemIsDark = event.matches));
  }

  get themeName(): ThemeName {
    if (this.#choice === 'light' || this.#choice === 'dark') return this.#choice;
    return this.#systemIsDark ? 'dark' : 'light';
  }

  get theme(): Theme {
    return THEMES[this.themeName];
  }

  toggleTheme(): void {
    const next = this.themeName === 'dark' ? 'light' : 'dark';
    // Back on what the system wants, the page follows the system again.
    this.#choice = (next === 'dark') === this.#systemIsDark ? 'system' : next;
    store('deeptracker.theme', this.#choice);
  }

  get panelOpen(): boolean {
    return this.#panel;
  }

  set panelOpen(open: boolean) {
    this.#panel = open;
    store('deeptracker.panel', open ? 'open' : 'closed');
  }
}
