"""Every threshold of the doctor with its origin: change a number here to calibrate it.

(L) is from the literature or from practice that has a source. (C) was calibrated, on the data that are named. (O) is our starting
value, plausible and not yet calibrated.
"""

from __future__ import annotations

# When a look counts.
WARM_UP_STEPS, WARM_UP_SHARE = 100, 0.1  # (C) neither is judged: the first steps of healthy runs look like sick ones. With 100
# as with 200 no healthy run of the ward's calibration part raises an alarm, and short sick ones are known sooner
WINDOW_STEPS, WINDOW_SHARE, WINDOW_RECORDS = 500, 0.2, 3  # (O) a sign has to last this long, of a short run a fifth
TOLERANCE = 0.1  # (O) share of records in a lasting sign that may look healthy
EARLY_SHARE, EARLY_RECORDS = 0.2, 5  # (O) the part of a run that later gradients are compared with
CHUNKS, CHUNK_RECORDS = 50, 3  # (O) parts of which noisy signals are averaged before they are judged; records in each at least

# Mode collapse.
COLLAPSED, NARROW = 0.25, 0.5  # (O) spread of fakes over spread of real samples: failing, warning
OPENS = 1_500  # (O) steps: fakes of the original GAN on digits spread .12 until 600 and .8 at 1,400, least squares' later
OPEN = 0.5  # (O) spread that counts as having been diverse
BEGAN_OPENS = 3_000  # (O) steps: BEGAN draws one face for every latent for 1,500 to 3,000 steps, then diversity opens
UNCOVERED = 0.5  # (O) of the Gaussian mixture's coverage: ten prototypes have .16 against its .81 at a better KID, a real GAN .88
COVERED, DROPPED = 0.3, 0.5  # (O) coverage that counts as having covered the data, and the share of it that is left

# Vanishing gradient.
DEAD, FADING = 1e-3, 1e-2  # (O) of the early median gradient; five orders of magnitude in 4,000 steps are reported (L)
SURE = 0.99  # (O) accuracy of a discriminator that has won
FLAT = 0.95  # (O) share of fakes at which the generator's loss has no slope
UNITS = 0.9  # (C) share of a player's ReLU units that nothing sets off: healthy up to .11 in the ward, killed ones 1
ROUNDING = 1e-6  # (O) of a critic's mean |loss|: float32 at scores of order one can't tell it from 0
FLAT_CRITIC = 1e-3  # (O) of the early |loss| of a critic: WGAN-WC of the traces loses five orders, WGAN-GP less than one

# Imbalance.
LEAD = 12.5  # (C) G's loss over D's. 25 traces of CIFAR-10: healthy runs reach 5.1 at most, failing ones without a critic 30.9 at
# least; this is the geometric middle (benchmarks/traces.py). Of the plain log loss it is a gap of 2.3 between the logits
PINNED_STEPS, PINNED = 500, 1e-3  # (O) BEGAN's k at 0 or 1 for so long; healthy k leaves 0 within tens of steps
OVERFIT = 0.3  # (O) accuracy on training data over that on held-out data; BigGAN's D: above .98 against .50 to .55 (L)
SIGNED = 0.8  # (O) mean sign of D on training images; ADA steers .6 (L), above which a discriminator overfits
PACES = 15.0  # (C) one player's |dW| / |W| of a step over the other's: healthy at most 2 in the ward, which five updates of D in
# a step (L, miyato2018sngan) make 10; a player made strong has 27 in the median
BLIND = 0.1  # (O) accuracy on fakes of a discriminator that takes them for real

# Instability.
SPIKE, SPIKES = 10.0, 3  # (O) loss or gradient against its running median, and how many of them
GROWN, GRADIENT = 30.0, 100.0  # (O) gradient against its early median; (L) norms above 100 are trouble (ganhacks)
BLOWN = 100.0  # (O) |loss| against its early median, of losses whose scores don't drift by nature
SWOLLEN = 10.0  # (O) top singular value against its early median
HASTY = 0.05  # (C) |dW| / |W| of one update, without a critic's clipping. The ward's calibration part: healthy up to .02
LARGE = 10.0  # (C) top singular value while the run warms up: healthy up to 5.6 in the ward, rates times 100 from 12 on
STEEP = 33.0  # (C) the same of D, at any time: healthy up to 8.5 in the ward, a D that wins 14, overshooting rates and loose
# clipping 65 and more; about the geometric middle of the last two
RUNAWAY = 1e3  # (C) gradient norm of a loss that is a mean, whatever it was early: an SNGAN on CIFAR-10 reaches 149, EBGAN with a
# margin of 10,000 has 5,000
RESTLESS, ERRATIC = 0.85, 1.0  # (C) deviation of D's loss over its mean: warning, failing. A working run's has low variance (L,
# ganhacks). Of 64 published logs the healthy reach .76, those that break off among losses without a critic begin at .70
MARGIN = 1.0  # (L) lim2017geometric's hinge: D has won only where fakes score beyond the margin, which it stops to push

# Non-convergence.
LAST = 1.3  # (O) the last evaluation over the best, as the study of traces counts failing; one alone is a warning
WORSE, RECENT, AGED = 1.25, 3, 3  # (C) best of the last evaluations over the best of all, which is so much older: traces
NEVER_FID = 200.0  # (O) what the study of traces counts as a run that never learned
CYCLE, CYCLES = 0.5, 3  # (O) autocorrelation at one period, and how many periods have to be seen
UNDAMPED = 0.8  # (O) size of the swings in the later half over those in the earlier
ESTIMATE = 2.0  # (O) a critic's distance against its early median

# Memorization.
COPYING, COPIES = 0.95, 0.9  # (C) nearest training image against that of test images: warning, failing where two signs agree. In
# the ward's records healthy runs have 1.1 or more by both, those that copy .75 or less
COPIED, BLURRED = 0.75, 0.9  # (C) novelty that copies alone have, and memorization over it that blur stays under: of the 37
# models of the ward that copy 36 have .73 or less, one .77 and a ratio of 1.2; 52 checks of blurred ones on
# CIFAR-10 and MNIST (benchmarks/selection_regret.py) have .80 or more and ratios of .81 or less

# Remedies.
FASTEST = 1e-3  # (O) the largest learning rate in the catalog: half of an absurd one would still be absurd

# Slips: settings that no recipe of the catalog comes near.
FASTEST_SGD = 0.1  # (L) goodfellow2014gan's rate, the catalog's largest without Adam or RMSprop
HURRIED = 4.0  # (O) times the largest rate
LOPSIDED = 10.0  # (O) one player's rate over the other's: heusel2017ttur's time scales are 4 apart at most
HEAVY = 0.9  # (O) momentum that is not Adam's
FEWEST, BATCH = 8, 64  # (O) samples of a batch: the least, and what takes its place
STRAYED = 300.0  # (O) times an option's default, or so small a share of it; the catalog's recipes keep within 100

# When to stop: see `stop`. (C) conformal on 64 published logs, benchmarks/traces.py
STOP_RUNS, STOP_SPARED, GAIN = 64, 3, 0.02  # (C) runs, how many of them may exceed the bounds, what counts as better
STOP_AGE = 5  # (C) evaluations since the best
STOP_RATIO = 1.15  # (C) of the last evaluations' best to the best of all
STOP_NOISE = 1.0  # (O) typical steps between two evaluations that count for nothing
STOP_WON = 35_000  # (C) steps for which D's lead has lasted
