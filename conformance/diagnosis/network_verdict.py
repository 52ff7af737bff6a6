"""What is gathered about a network while it is judged, and the diagnosis that it makes."""

from dataclasses import dataclass, field

from sasakit.reference import NetworkSpec

from ..report import Deviation, Diagnosis


@dataclass
class Verdict:
    """What a network does.

    options     under which its parts conform
    deviations  named differences; violations  such as have no name, each with what was seen
    unjudged    what could not be followed or asked; notes  what else is worth saying
    """

    options: dict[str, object] = field(default_factory=dict)
    deviations: list[Deviation] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def deviate(self, deviation: Deviation) -> None:
        """A named difference."""
        if deviation not in self.deviations:
            self.deviations.append(deviation)

    def violate(self, text: str) -> None:
        """A difference without a name."""
        self.violations.append(text)

    def open(self, text: str) -> None:
        """Something that could not be judged."""
        self.unjudged.append(text)

    def option(self, name: str, value: object, where: str) -> None:
        """An option that one part follows; all parts must follow one."""
        if name in self.options and self.options[name] != value:
            text = f"`{name}` is not one for all layers: {value} in {where}"
            if text not in self.notes:
                self.notes.append(text)
        self.options.setdefault(name, value)

    def diagnosis(self) -> Diagnosis:
        """Deviations first; what is not judged keeps a network from conforming."""
        canonical = NetworkSpec()
        options = {name: value for name, value in self.options.items()
                   if name == "stem" or getattr(canonical, name, None) != value}
        open_words = [f"not judged: {text}" for text in self.unjudged]
        if self.deviations:
            return Diagnosis("deviations", options=options, deviations=self.deviations,
                             findings=[*self.violations, *open_words, *self.notes])
        if self.violations:
            return Diagnosis("unknown", options=options, stopped_at=self.violations[0],
                             findings=[*self.violations[1:], *open_words, *self.notes])
        if self.unjudged:
            return Diagnosis("not judged", options=options,
                             stopped_at="as a network: " + "; ".join(self.unjudged),
                             findings=self.notes)
        return Diagnosis("options", options=options, findings=self.notes)
