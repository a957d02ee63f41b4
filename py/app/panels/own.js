// The camera of the classes made on the page: its picture as the page shows it, and as pixels for the worker. Evaluated by own.py.
"use strict";
(side, ended) => {
  const tr = self.farcallText;
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, className: "live" });
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let asked = 0, stream = null;
  const end = (held) => { for (const track of held?.getTracks() ?? []) track.stop(); };
  const stop = () => {
    asked += 1; // a permission that comes later is not used
    end(stream);
    video.srcObject = stream = null;
  };
  return {
    video,
    stop,
    // Says "" when the camera is on, else why it is not: MicroPython cannot catch what a promise throws.
    async start() {
      const mine = asked += 1;
      try {
        if (!navigator.mediaDevices) return tr("A browser gives a page its camera on https or localhost only, and a frame only with allow='camera'.");
        const given = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
        if (mine !== asked) { end(given); return tr("The camera was stopped."); }
        stream = given;
        stream.getVideoTracks()[0].addEventListener("ended", () => { if (stream === given) { stop(); ended(); } });
        video.srcObject = stream;
        await video.play();
        return stream === given ? "" : tr("The camera was stopped.");
      } catch (error) {
        stop();
        return tr("The browser gave no camera: {problem}", { problem: error.message || error.name });
      }
    },
    // The square in the middle as RGBA bytes; null before the first picture.
    grab() {
      const { videoWidth: width, videoHeight: height } = video;
      if (!stream || video.readyState < 2 || !width) return null;
      const edge = Math.min(width, height);
      pen.drawImage(video, (width - edge) / 2, (height - edge) / 2, edge, edge, 0, 0, side, side);
      return new Uint8Array(pen.getImageData(0, 0, side, side).data.buffer);
    },
  };
}
