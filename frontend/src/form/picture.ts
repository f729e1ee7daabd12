/** Bytes of an input that the API takes inline, less a little for the rest of it. */
const LARGEST = 1_000_000;
/** Pixels of the longer side of a picture that had to be made smaller. */
const SIDE = 1024;

/** A file as a data URL. A picture that is too large to be sent is made smaller. Throws an Error that says what to do. */
export async function dataUrlOf(file: File): Promise<string> {
  if (encodedSize(file) <= LARGEST) return read(file);
  if (file.type.startsWith("image/")) {
    const smaller = await shrunk(file);
    if (smaller && encodedSize(smaller) <= LARGEST) return read(smaller);
  }
  throw new Error(`This file is too large: ${Math.floor((LARGEST * 3) / 4 / 1000)} kB can be sent with a job.`);
}

/** Base64 has four letters for three bytes. */
function encodedSize(file: Blob): number {
  return Math.ceil(file.size / 3) * 4;
}

async function shrunk(file: File): Promise<Blob | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) throw new Error("This picture cannot be read.");
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  // What lets the background through still does. A browser that has no WebP makes a PNG, which may be too large.
  const made = await encoded(canvas, file.type === "image/jpeg" ? "image/jpeg" : "image/webp");
  if (made === null || encodedSize(made) <= LARGEST) return made;
  if (pen) {
    pen.globalCompositeOperation = "destination-over";
    pen.fillStyle = "#fff"; // JPEG has no transparency: without paper below, it would be black
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  return encoded(canvas, "image/jpeg");
}

function encoded(canvas: HTMLCanvasElement, type: string): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, type, 0.9));
}

function read(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(withType(String(reader.result)));
    reader.onerror = () => reject(new Error("This file cannot be read."));
    reader.readAsDataURL(file);
  });
}

/** A file of a kind that the browser does not know comes without one, which the API's schema asks for. */
function withType(url: string): string {
  return url.replace(
    /^data:;?base64,|^data:application\/octet-stream;base64,/,
    "data:application/octet-stream;base64,",
  );
}
