import { PAPER_COLOURS, THEMES, type Theme, type ThemeName } from './kernel/colour.ts';

/** What belongs to this reader and not to a link: theme, colours of the pixel chart, whether the side panel is open. */
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
  #paperColours = $state(stored('deeptracker.colours') === 'paper');
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

  readonly #theme = $derived.by((): Theme => {
    const theme = THEMES[this.themeName];
    return this.#paperColours ? { ...theme, ...PAPER_COLOURS } : theme;
  });

  get theme(): Theme {
    return this.#theme;
  }

  get paperColours(): boolean {
    return this.#paperColours;
  }

  set paperColours(on: boolean) {
    this.#paperColours = on;
    store('deeptracker.colours', on ? 'paper' : 'own');
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
