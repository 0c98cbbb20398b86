"""Changes to a recipe that may cure a problem, in the order in which they should be tried: expected gain first, then cost."""

from __future__ import annotations

from collections.abc import Mapping

from ganwise import ramp
from ganwise.catalog import check
from ganwise.doctor.thresholds import FASTEST
from ganwise.doctor.traits import Traits
from ganwise.recipe import Choice, Recipe, change
from ganwise.types import Remedy, Unusable, Value

Changes = dict[str, Value]


def prescribe(recipe: Recipe | None, *remedies: Remedy) -> tuple[Remedy, ...]:
    """The remedies that make of this recipe others that the catalog accepts, each another; all where there is no recipe."""
    found: dict[Recipe | int, Remedy] = {}
    for number, remedy in enumerate(one for one in remedies if one.change):
        made = number if recipe is None else _changed(recipe, remedy.change)
        if made is not None and made != recipe:
            found.setdefault(made, remedy)
    return tuple(found.values())


def _changed(recipe: Recipe, changes: Mapping[str, Value]) -> Recipe | None:
    """The recipe after a remedy; None where the catalog refuses it."""
    try:
        changed = change(recipe, changes)
        check(changed)
    except Unusable:
        return None
    return changed


def regularizers(traits: Traits) -> tuple[Choice, ...]:
    return traits.recipe.regularizers if traits.recipe else ()


def slower(recipe: Recipe | None, *players: str) -> Remedy:
    """Half the learning rate of each player named, a sane one at most; nothing where the rate is unknown."""
    changes: Changes = {}
    if recipe:
        rates = {one: getattr(recipe.schedule, one).learning_rate for one in players}
        changes = {f"schedule.{one}.learning_rate": ramp.scaled(rate, 0.5, FASTEST) for one, rate in rates.items()}
    because = "smaller steps: tuning the learning rate changes more than changing the loss"
    return Remedy(changes, because, ("lucic2018equal", "motwani2020selection"))


def _penalized(recipe: Recipe | None, loss: str | None = None) -> Changes:
    """R1 put in the place of what does not go with it, and another loss where one is named."""
    names = {r.name for r in recipe.regularizers} if recipe else set()
    changes: Changes = {"loss.name": loss} if loss else {}
    changes["regularizers.r1"] = True
    if "weight-clipping" in names:
        changes["regularizers.weight-clipping"] = False
    if recipe and recipe.architecture.options.get("discriminator_norm") == "batch":
        changes["architecture.discriminator_norm"] = "none"
    return changes


def tamed(recipe: Recipe | None) -> Remedy:
    because = "a zero-centered penalty on real data bounds the discriminator's slope, and training then converges locally"
    return Remedy(_penalized(recipe), because, ("mescheder2018converge",))


def _stronger(traits: Traits) -> Remedy:
    gamma = next((r.options["gamma"] for r in regularizers(traits) if r.name == "r1" and "gamma" in r.options), None)
    return Remedy(
        {"regularizers.r1.gamma": ramp.scaled(gamma, 2.0)} if gamma else {},
        "a stronger penalty keeps the discriminator from learning the training images by heart",
        ("karras2020ada",),
    )


def _augmented(traits: Traits) -> Remedy:
    return Remedy(
        {"augmentation.name": "ada"} if traits.recipe and not traits.recipe.augmentation else {},
        "random changes of all images that the discriminator sees, real or made, leave it nothing to learn by heart",
        ("karras2020ada", "zhao2020diffaugment"),
    )


def _unclipped(recipe: Recipe | None) -> Remedy:
    clipped = recipe is not None and any(r.name == "weight-clipping" for r in recipe.regularizers)
    return Remedy(
        {"regularizers.weight-clipping": False, "regularizers.gradient-penalty": True} if clipped else {},
        "clipped weights let gradients die layer by layer; a gradient penalty keeps the slope near one",
        ("gulrajani2017wgangp",),
    )


def _fewer(traits: Traits) -> Remedy:
    several = traits.recipe is not None and traits.recipe.schedule.discriminator_steps > 1 and not traits.critic
    return Remedy(
        {"schedule.discriminator_steps": 1} if several else {},
        "a discriminator that moves as often as the generator wins later",
        ("motwani2020selection",),
    )


def broken(traits: Traits) -> tuple[Remedy, ...]:
    """Against values that are not finite."""
    sturdy = Remedy(
        {"divergence.name": "gan"} if traits.divergent else {},
        "conjugates with an exponential or a pole overflow; that of the original GAN's divergence does not",
        ("nowozin2016fgan",),
    )
    return sturdy, slower(traits.recipe, "discriminator", "generator"), tamed(traits.recipe)


def awake(traits: Traits) -> tuple[Remedy, ...]:
    """Against vanishing gradients: a loss that stays alive first, a weaker discriminator last."""
    recipe = traits.recipe
    alive = Remedy(
        {"loss.name": "non-saturating"} if traits.saturates or not recipe else {},
        "a loss whose gradient does not vanish when the discriminator wins is the cure to prefer",
        ("goodfellow2014gan", "motwani2020selection"),
    )
    return alive, _unclipped(recipe), tamed(recipe), _fewer(traits), slower(recipe, "discriminator")


def varied(traits: Traits) -> tuple[Remedy, ...]:
    """Against collapse: BEGAN has its own dial; elsewhere losses of pairs with a penalty, then smaller steps."""
    recipe = traits.recipe
    smaller = slower(recipe, "discriminator", "generator")
    if traits.dial:
        return Remedy({"loss.gamma": 0.7}, "a higher gamma is BEGAN's dial toward diversity", ("berthelot2017began",)), smaller
    covering = Remedy(
        {"divergence.name": "kl"} if traits.divergent else {},
        "Kullback-Leibler of data from model covers every mode",
        ("nowozin2016fgan",),
    )
    pairs = Remedy(
        _penalized(recipe, "relativistic"),
        "losses that judge fakes one by one have bad minima that drop modes; losses of pairs have none, and R1 steadies them",
        ("sun2020landscape", "huang2024r3gan"),
    )
    return tamed(recipe), covering, pairs, smaller


def original(traits: Traits) -> tuple[Remedy, ...]:
    """Against copies of the training images, and a discriminator that knows them by heart."""
    return _stronger(traits), _augmented(traits), tamed(traits.recipe), slower(traits.recipe, "discriminator", "generator")


def weaker(traits: Traits) -> tuple[Remedy, ...]:
    """Against a discriminator that has won: bound its slope before slowing it down."""
    normalized = Remedy(
        {"regularizers.spectral-norm": True, **_without(traits.recipe, "weight-clipping")},
        "spectral normalization bounds the discriminator's slope at hardly any cost",
        ("miyato2018sngan",),
    )
    return tamed(traits.recipe), normalized, _fewer(traits), slower(traits.recipe, "discriminator")


def _without(recipe: Recipe | None, name: str) -> Changes:
    there = recipe is not None and any(r.name == name for r in recipe.regularizers)
    return {f"regularizers.{name}": False} if there else {}


def keener(traits: Traits) -> tuple[Remedy, ...]:
    """Against a discriminator that the generator fools: slow the generator, then give the discriminator more updates."""
    recipe = traits.recipe
    single = recipe is not None and recipe.schedule.generator_steps > 1
    fewer = Remedy(
        {"schedule.generator_steps": 1} if single else {}, "a generator that moves less often is judged", ("lim2017geometric",)
    )
    steps = recipe.schedule.discriminator_steps if recipe else 1
    more = Remedy({"schedule.discriminator_steps": 2 * steps}, "more updates keep D near its optimum", ("goodfellow2014gan",))
    return fewer, slower(recipe, "generator"), more


def released(traits: Traits, low: bool) -> tuple[Remedy, ...]:
    """Against BEGAN's controller at its stop: gamma moves the balance that it can't reach."""
    gamma = 0.7 if low else 0.3
    because = f"k stays at {0 if low else 1} where the ratio of errors can't reach gamma: another gamma moves the balance"
    dial = Remedy({"loss.gamma": gamma}, because, ("berthelot2017began",))
    return dial, slower(traits.recipe, "discriminator", "generator")


def steadied(traits: Traits) -> tuple[Remedy, ...]:
    """Against spikes, swings and cycles: smaller steps, a penalty, less momentum, an average."""
    recipe = traits.recipe
    pushed = [p for p in ("discriminator", "generator") if recipe and _momentum(recipe, p)]
    changes: Changes = {f"schedule.{p}.{_momentum(recipe, p)}": 0.0 for p in pushed} if recipe else {}
    calm = Remedy(changes, "momentum turns a game's rotation into growing swings", ("mescheder2018converge",))
    averaged = Remedy(
        {"schedule.ema": 0.999} if recipe and recipe.schedule.ema == 0 else {},
        "the average of a generator that circles lies nearer the middle",
        ("yazici2019averaging",),
    )
    return tamed(recipe), slower(recipe, "discriminator", "generator"), calm, averaged


def _momentum(recipe: Recipe, player: str) -> str:
    """The field of a player's optimizer that adds momentum; empty where none does."""
    optimizer = getattr(recipe.schedule, player)
    field = "beta1" if optimizer.name == "adam" else "momentum"
    return field if getattr(optimizer, field) != 0 else ""
