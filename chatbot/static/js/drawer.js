// On narrow screens the list of conversations is a drawer.

export class Drawer {
  constructor() {
    this.opener = document.getElementById("open-sidebar");
    this.side = document.getElementById("sidebar");
    this.scrim = document.getElementById("scrim");
    const close = document.getElementById("close-sidebar");
    this.opener.addEventListener("click", () => {
      this.show(true);
      close.focus();
    });
    close.addEventListener("click", () => this.leave());
    this.scrim.addEventListener("click", () => this.leave());
    this.side.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && !this.scrim.hidden) this.leave();
    });
  }

  show(visible) {
    this.side.classList.toggle("open", visible);
    this.scrim.hidden = !visible;
    this.opener.setAttribute("aria-expanded", String(visible));
  }

  close() {
    this.show(false);
  }

  leave() {
    this.show(false);
    this.opener.focus();
  }
}
