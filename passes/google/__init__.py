"""Google Wallet as values: classes and objects, what the API is asked and answers, save links, callbacks.

model       what a class and an object hold         encode     model -> JSON, validated; lint
ids         `<issuer>.<suffix>`, the four kinds     schema     judge any body by Google's schema
patch       what to send, and whether at all        drift      does the answer hold what was sent
api         requests                                answers    what an answer means
save_link   the signed link                         callback   save and delete events, believed only with proof
root_keys   Google's keys for callbacks             totp       values of a rotating barcode
"""
