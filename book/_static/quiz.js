// Quizzes and guesses: feedback to the chosen answer; guesses are kept in this browser and nowhere else.
addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("fieldset.quiz").forEach((question, i) => {
    const key = `${location.pathname}#${question.classList.contains("guess") ? "guess" : "quiz"}-${i}`;
    const inputs = [...question.querySelectorAll("input")];
    const status = question.querySelector(".kept");
    const feedback = [...question.querySelectorAll(".feedback")];
    const show = (input, fresh) => {
      feedback.forEach((text, k) => { text.hidden = inputs[k] !== input; });
      if (question.classList.contains("guess")) status.textContent = "Kept in this browser. Now look at the figure.";
      else if (fresh) status.textContent = input.dataset.right === "1" ? "Right." : "Not this one.";
    };
    feedback.forEach((text) => { text.hidden = true; });
    inputs.forEach((input, k) => input.addEventListener("change", () => {
      try { localStorage.setItem(key, k); } catch { /* private windows keep nothing */ }
      show(input, true);
    }));
    let kept = null;
    try { kept = localStorage.getItem(key); } catch { /* the same */ }
    if (kept !== null && inputs[kept]) { inputs[kept].checked = true; show(inputs[kept], false); }
  });
});
