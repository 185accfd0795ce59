"""What fresh seeds say about a front: intervals, support, families compared. Pure functions.

Of every training there is kept which images it got right, on the fresh validation and on the test
split. The road of these bits:

    image_results      which images were right -> means over seeds and images, and their scatter
    seed_variance      the variance between seeds of each configuration, from all of them
    estimate           accuracy of each configuration: its seed part, its image part
    intervals          an accuracy, a difference, the optimism of the search, each with its interval
    draws              joint draws of the accuracies
    membership         support, on / off / undecided; the candidates of a confirmation
    next_seed          the configuration whose next training decides most
    seeds_to_decide    how many seeds would decide who is on the front
    steps, families    the chosen front as a step function; two families compared
    sentence           what the comparison says

Validation chooses, test reports: `membership`, `next_seed` and the choice in `families` take
estimates from validation, everything else that is published takes those from test.
"""
