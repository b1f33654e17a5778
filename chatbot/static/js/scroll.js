// Staying at the end of a conversation while it grows, unless the reader has scrolled away.

// Pixels from the end within which the view counts as being at the end.
const NEAR_END = 80;
// Milliseconds after the reader's wheel, finger or key in which a movement is the reader's.
const READER = 1000;

export class Scroll {
  constructor() {
    this.scroller = document.getElementById("scroller");
    this.toEnd = document.getElementById("to-end");
    this.following = true;
    this.moved = 0;
    for (const name of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      this.scroller.addEventListener(name, () => (this.moved = performance.now()), { passive: true });
    }
    this.scroller.addEventListener("scroll", () => this.note(), { passive: true });
    this.toEnd.addEventListener("click", () => {
      this.follow(true);
      document.getElementById("composer").focus();
    });
    // Messages that are drawn when they come near change the height.
    new ResizeObserver(() => this.follow()).observe(document.getElementById("messages"));
  }

  note() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    // What grows or shrinks moves the end by itself: only a reader who goes up leaves it.
    const up = scrollTop < (this.top ?? 0) && performance.now() - this.moved < READER;
    this.top = scrollTop;
    const near = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (near) this.following = true;
    else if (up) this.following = false;
    this.toEnd.hidden = this.following || near;
  }

  /** Go to the end, if that is where the reader was; `force`: wherever. */
  follow(force = false) {
    if (force) this.following = true;
    if (!this.following) return;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.toEnd.hidden = true;
  }

  /** Show an element, and stay there. */
  show(node) {
    this.following = false;
    node.scrollIntoView({ block: "center" });
  }
}
