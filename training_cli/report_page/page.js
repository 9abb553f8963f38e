"use strict";
(function () {
  document.documentElement.classList.add("scripted");

  /** One volume's viewer: draws the slice in all panes, fades, and follows sliders, keys, fingers and curves. */
  function start(section) {
    var viewer = section.querySelector(".viewer");
    if (!viewer) return;
    var data = JSON.parse(viewer.querySelector(".data").textContent);
    var canvases = Array.from(viewer.querySelectorAll(".panes canvas"));
    var fade = viewer.querySelector(".fade");
    var faded = fade.querySelector("canvas");
    var slider = viewer.querySelector(".slice");
    var readout = viewer.querySelector("output");
    var from = fade.querySelector(".from");
    var to = fade.querySelector(".to");
    var mix = fade.querySelector(".mix");
    var brightness = viewer.querySelector(".brightness");
    var radios = Array.from(viewer.querySelectorAll("input[type=radio]"));
    var marks = Array.from(section.querySelectorAll(".plot b"));
    var width = data.tile[0], height = data.tile[1];
    var sheets = [], place = data.slices.indexOf(data.first), last = data.slices.length - 1;

    function load() {
      if (sheets.length) return;
      sheets = data.panes.map(function (pane) {
        var image = new Image();
        image.addEventListener("load", draw);
        image.src = pane.sheet;
        return image;
      });
    }

    function paint(canvas, pane, alpha) {
      var image = sheets[pane];
      if (!image || !image.complete || !image.naturalWidth) return;
      var context = canvas.getContext("2d");
      context.globalAlpha = alpha;
      context.filter = data.panes[pane].kind === "error" ? "none" : "brightness(" + brightness.value + "%)";
      context.drawImage(image, (place % data.columns) * width, Math.floor(place / data.columns) * height,
        width, height, 0, 0, width, height);
    }

    function draw() {
      if (fade.hidden) {
        canvases.forEach(function (canvas, pane) { paint(canvas, pane, 1); });
      } else {
        paint(faded, Number(from.value), 1);
        paint(faded, Number(to.value), Number(mix.value) / 100);
      }
    }

    function describe() {
      var slice = data.slices[place];
      var parts = ["Slice " + (slice + 1) + " of " + data.total];
      if (data.positions.length) parts.push(data.positions[place]);
      data.curves.forEach(function (curve) {
        if (slice < curve.values.length) parts.push(curve.title + " " + curve.values[slice]);
      });
      if (readout) readout.textContent = parts.join(" · ");
      if (slider) slider.setAttribute("aria-valuetext", parts.slice(0, 2).join(", "));
      marks.forEach(function (mark) {
        mark.hidden = false;
        mark.style.left = 100 * (slice + 0.5) / data.total + "%";
      });
      canvases.forEach(function (canvas, pane) {
        canvas.setAttribute("aria-label", data.panes[pane].title + ", slice " + (slice + 1));
      });
    }

    function go(wanted) {
      place = Math.max(0, Math.min(last, wanted));
      if (slider) slider.value = place;
      load();
      draw();
      describe();
    }

    /** Go to a slice by its number in the file; to the nearest one shown where it is not. */
    function goTo(slice) {
      var best = 0;
      data.slices.forEach(function (each, index) {
        if (Math.abs(each - slice) < Math.abs(data.slices[best] - slice)) best = index;
      });
      go(best);
    }

    function setView(kind) {
      fade.hidden = kind !== "fade";
      viewer.querySelector(".panes").hidden = kind === "fade";
      radios.forEach(function (radio) { radio.checked = radio.value === kind; });
      draw();
    }

    function dragging(canvas) {
      var begun = null, at = 0;
      canvas.addEventListener("pointerdown", function (event) {
        begun = event.clientX;
        at = place;
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", function (event) {
        if (begun === null) return;
        var moved = Math.round((event.clientX - begun) / canvas.clientWidth * Math.min(last + 1, 32));
        if (at + moved !== place) go(at + moved);
      });
      ["pointerup", "pointercancel"].forEach(function (name) {
        canvas.addEventListener(name, function () { begun = null; });
      });
      canvas.addEventListener("wheel", function (event) {
        if (!viewer.contains(document.activeElement) || !event.deltaY) return;
        event.preventDefault();
        go(place + (event.deltaY > 0 ? 1 : -1));
      }, { passive: false });
    }

    canvases.concat([faded]).forEach(dragging);
    if (slider) {
      slider.addEventListener("input", function () { go(Number(slider.value)); });
      viewer.querySelector(".previous").addEventListener("click", function () { go(place - 1); });
      viewer.querySelector(".next").addEventListener("click", function () { go(place + 1); });
    }
    radios.forEach(function (radio) {
      radio.addEventListener("change", function () { setView(radio.value); });
    });
    [from, to].forEach(function (each) { each.addEventListener("change", draw); });
    [mix, brightness].forEach(function (each) { each.addEventListener("input", draw); });
    viewer.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if ((event.key === "f" || event.key === "F") && event.target.tagName !== "SELECT" && data.panes.length > 1) {
        setView(fade.hidden ? "fade" : "side");
        return;
      }
      // Sliders, choices and buttons have arrow keys of their own.
      if (event.target !== viewer) return;
      var steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
      if (event.key in steps) go(place + steps[event.key]);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(last);
      else return;
      event.preventDefault();
    });
    section.querySelectorAll("button[data-slice]").forEach(function (button) {
      button.addEventListener("click", function () {
        goTo(Number(button.dataset.slice));
        viewer.scrollIntoView({ block: "nearest" });
      });
    });
    section.querySelectorAll(".plot .area").forEach(function (area) {
      area.addEventListener("click", function (event) {
        var box = area.getBoundingClientRect();
        goTo(Math.floor((event.clientX - box.left) / box.width * data.total));
      });
    });

    describe();
    if ("IntersectionObserver" in window) {
      var watcher = new IntersectionObserver(function (seen) {
        if (seen.some(function (each) { return each.isIntersecting; })) {
          watcher.disconnect();
          load();
        }
      }, { rootMargin: "400px" });
      watcher.observe(viewer);
    } else {
      load();
    }
  }

  document.querySelectorAll("section.case").forEach(start);
})();
