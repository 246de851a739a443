"""When two token sets are one youth: which keys they hold, what agreement weighs, and the three outcomes. Pure.

`key_scheme` says what a token set must look like, `weights` what its keys are worth, `score` what two sets amount to,
`classify` what the scores of all candidates amount to. Nothing here knows how a key is made (`adapters.identity`).
"""
