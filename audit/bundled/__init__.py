"""What every evidence bundle carries: two verifiers, and words that explain them.

Nothing here imports anything of ours, because it is handed to people who have nothing of ours.
"""
