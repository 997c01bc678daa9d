// The browser's storage for this origin. Where it is forbidden, full or missing, what is kept lasts as long as the page, and nothing fails.

const memory = new Map<string, string>();

export const storage = {
  get(name: string): string | null {
    try {
      return memory.get(name) ?? localStorage.getItem(name);
    } catch {
      return null;
    }
  },

  set(name: string, value: string): void {
    try {
      localStorage.setItem(name, value);
      memory.delete(name);
    } catch {
      memory.set(name, value);
    }
  },
};
