"""What governs runs in one place on this machine, whether or not all of it can be used: for `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bigtask.approvals import Approvals
from bigtask.configuration.files import Configuration, ConfigurationNotApproved, read, user_path
from bigtask.configuration.layers import Layer, of_template
from bigtask.configuration.resolution import Resolution, resolve
from bigtask.errors import InvalidInput
from bigtask.templates.manager import TemplateManager


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`resolution` leaves out what can't be used and a repository's file that isn't approved, for which runs
    are refused. `unread` says why the approvals can't be read."""

    configuration: Configuration
    resolution: Resolution
    user_path: Path
    unapproved: ConfigurationNotApproved | None = None
    unread: str = ""

    @property
    def repository_counts(self) -> bool:
        """Whether the repository has a file that sets something and is approved."""
        there = self.configuration.repository_digest is not None
        return there and self.unapproved is None and not self.unread

    @property
    def problems(self) -> tuple[str, ...]:
        """Of the files; those of the environment are with its layer."""
        layers = (self.configuration.repository, self.configuration.user)
        return tuple(problem for layer in layers for problem in layer.problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        layers = (self.configuration.repository, self.configuration.user)
        return (*(warning for layer in layers for warning in layer.warnings), *self.resolution.warnings)


def standing(
    root: Path,
    environ: Mapping[str, str],
    approvals: Approvals,
    *,
    templates: TemplateManager | None = None,
    template_id: str | None = None,
) -> Standing:
    """What is in force in the project `root`; with a template, for runs of that template.

    Raises NotFound or InvalidTemplate for a template that isn't there or can't be used.
    """
    configuration = read(root, environ)
    unread = ""
    unapproved = None
    try:
        unapproved = configuration.unapproved(approvals)
    except InvalidInput as error:
        unread = str(error)
    layers: list[Layer] = [configuration.environment, configuration.user]
    if unapproved is None and not unread:
        layers.append(configuration.repository)
    if templates is not None and template_id is not None:
        templates.get(template_id)
        layers.append(of_template(template_id, lambda id_: templates.get(id_, resolved=False)))
    return Standing(
        configuration=configuration,
        resolution=resolve(layers),
        user_path=user_path(environ),
        unapproved=unapproved,
        unread=unread,
    )
