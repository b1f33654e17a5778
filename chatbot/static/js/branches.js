// A conversation's messages as the tree that they are: a question that was edited and an answer
// that was asked for again stand beside the earlier one.

export class Branches {
  constructor(messages = []) {
    this.byId = new Map();
    this.children = new Map();
    messages.forEach((message) => this.put(message));
  }

  /** Add a message, or replace it. Later ones of the same parent stand to the right. */
  put(message) {
    if (!this.byId.has(message.id)) {
      const siblings = this.children.get(message.parent_id) ?? [];
      this.children.set(message.parent_id, [...siblings, message.id]);
    }
    this.byId.set(message.id, message);
  }

  get(id) {
    return this.byId.get(id);
  }

  /** The newest leaf of all. Ids begin with their time, so the greatest one is the newest. */
  newest() {
    let found = null;
    for (const id of this.byId.keys()) if (found === null || id > found) found = id;
    return found;
  }

  /** The newest leaf below a message. */
  leafOf(id) {
    for (;;) {
      const children = this.children.get(id);
      if (!children?.length) return id;
      id = children.at(-1);
    }
  }

  /** The messages from the first one to a leaf. */
  path(leaf) {
    const found = [];
    for (let at = this.byId.get(leaf); at; at = this.byId.get(at.parent_id)) found.push(at);
    return found.reverse();
  }

  /** The ids of a message and of those that stand beside it, and its place among them. */
  siblings(id) {
    const message = this.byId.get(id);
    // Another conversation is shown by now.
    const ids = message ? this.children.get(message.parent_id) : [id];
    return { ids, at: ids.indexOf(id) };
  }
}
