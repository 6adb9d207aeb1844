// The mark, six times: a bar with a gap, and the line of a call. 24-unit grid, 2-unit stroke.
export const glyphs = {
  allow: '<path d="M12 3v5.5M12 15.5V21M3 12h17M16.5 8.5 20 12l-3.5 3.5"/>',
  limit: '<path d="M12 3v5.5M12 15.5V21M2.5 12h2.5M8 12h2M14.5 12h2M19.5 12h2"/>',
  cond: '<path d="M12 2.5v4M12 17.5v4M12 8l4 4-4 4-4-4ZM2.5 12h3M18.5 12h3"/>',
  ask: '<path d="M12 2.5v5M12 16.5v5M2.5 12h4"/><circle cx="12" cy="12" r="3.25"/><path d="M18.5 12h.01M21.5 12h.01"/>',
  deny: '<path d="M14 3v18M3 12h8.5M8 8.5l3.5 3.5L8 15.5"/>',
  hide: '<path d="M12 3v1.5M12 8v1.5M12 14.5V16M12 19.5V21M4 12h.01M8 12h.01M16 12h.01M20 12h.01"/>',
};
