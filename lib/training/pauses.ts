// Moments between two steps, at which others may look at weights, slots and counters that belong together.

export class Pauses {
  #stepping = false;
  #waiting: (() => void)[] = [];
  readonly #looks = new Set<Promise<unknown>>();

  /** Runs `look` when no step is under way; no further one begins until what it returns has settled. */
  look<T>(look: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = () => {
        const looking = (async () => look())();
        this.#looks.add(looking);
        const over = () => this.#looks.delete(looking);
        looking.then(over, over);
        looking.then(resolve, reject);
      };
      if (this.#stepping) this.#waiting.push(start);
      else start();
    });
  }

  /** Before steps are made. */
  async begin(): Promise<void> {
    while (this.#looks.size > 0) await Promise.allSettled(this.#looks);
    this.#stepping = true;
  }

  /** After them. Those who wait look now: before the next steps, whoever comes first to the loop. */
  end(): void {
    this.#stepping = false;
    for (const start of this.#waiting.splice(0)) start();
  }
}
