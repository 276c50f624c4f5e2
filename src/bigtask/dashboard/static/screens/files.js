/** A text as a file that the browser keeps. */

export function saveFile(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = name;
  link.click();
  // The download has begun by then; what it reads is kept until it ends.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
