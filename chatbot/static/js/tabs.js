// Other tabs of this browser hear of what one of them does.

export class Tabs {
  /** `onChange(id)`: another tab has changed a conversation (null: all of them). */
  constructor(onChange) {
    this.channel = new BroadcastChannel("archi");
    this.channel.addEventListener("message", ({ data }) => onChange(data));
  }

  tell(id) {
    this.channel.postMessage(id);
  }
}
