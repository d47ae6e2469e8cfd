"""Studies: many trainings that differ only in what is being compared.

Data, networks, designs and results are plain values, and statistics are functions of arrays. The
room knows no framework: whatever trains comes in through the protocol in `fanin.studies.trainer`.
"""
