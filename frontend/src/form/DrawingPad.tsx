import { Button } from "@mantine/core";
import { type PointerEvent, useCallback, useEffect, useRef, useState } from "react";
import classes from "./DrawingPad.module.css";

const SIZE = 280; // pixels of the picture; what is seen of it may be smaller
const STROKE = 20;

interface Props {
  readonly invalid: boolean;
  /** A PNG as a data URL after each stroke; null: the pad is empty again. */
  readonly onDraw: (picture: string | null) => void;
}

type Point = readonly [x: number, y: number];

/** Paper and a thick pen, for the mouse, a finger or a stylus. Who has none of them uploads a picture. */
export function DrawingPad({ invalid, onDraw }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Point | null>(null);
  const [drawn, setDrawn] = useState(false);

  const wipe = useCallback(() => {
    const pen = canvas.current?.getContext("2d");
    if (!pen) return;
    pen.fillStyle = "#fff"; // paper, in the dark too: what is seen is what is sent
    pen.fillRect(0, 0, SIZE, SIZE);
    pen.lineWidth = STROKE;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.strokeStyle = "#000";
  }, []);
  useEffect(wipe, [wipe]);

  const stroke = (to: Point) => {
    const pen = canvas.current?.getContext("2d");
    if (!pen || last.current === null) return;
    pen.beginPath();
    pen.moveTo(...last.current);
    pen.lineTo(...to);
    pen.stroke();
    last.current = to;
  };
  const begin = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    last.current = pointOf(event);
    stroke(last.current); // a dot
    setDrawn(true);
  };
  const end = () => {
    if (last.current === null) return;
    last.current = null;
    onDraw(canvas.current?.toDataURL("image/png") ?? null);
  };
  const clear = () => {
    wipe();
    setDrawn(false);
    onDraw(null);
  };

  return (
    <div className={classes["pad"]}>
      <div className={classes["paper"]} data-invalid={invalid || undefined}>
        <canvas
          ref={canvas}
          width={SIZE}
          height={SIZE}
          role="img"
          aria-label={drawn ? "Your drawing" : "Paper to draw on; nothing is drawn yet"}
          className={classes["canvas"]}
          onPointerDown={begin}
          onPointerMove={(event) => stroke(pointOf(event))}
          onPointerUp={end}
          onPointerCancel={end}
        />
        {!drawn && (
          <span className={classes["hint"]} aria-hidden>
            Draw here
          </span>
        )}
      </div>
      <Button variant="default" size="xs" onClick={clear} disabled={!drawn}>
        Clear
      </Button>
    </div>
  );
}

function pointOf({ nativeEvent, currentTarget }: PointerEvent<HTMLCanvasElement>): Point {
  const scale = SIZE / (currentTarget.clientWidth || SIZE);
  return [nativeEvent.offsetX * scale, nativeEvent.offsetY * scale];
}
