"""rules/*.yaml in, RuleBook out: the agreements that every sighting is judged against.

document    text -> tree of strings with line and column
values      one string -> one typed value, or what to write instead
models      the language: what network.yaml and a partner's file may say
language    tree -> model, faults in words that a privacy officer can act on
load        folder -> RuleBook, or a RuleError with every fault of every file
book        the RuleBook: who may get something at this host, whose number is this
lint        RuleBook -> remarks: what is valid and yet probably not meant
schema      the models as rules/schema.json, for editors
"""

from monitor.agreements.book import Client, RuleBook, Terms
from monitor.agreements.document import Remark
from monitor.agreements.load import load
from monitor.agreements.models import Grant, Network, Partner, Purpose

__all__ = ["Client", "Grant", "Network", "Partner", "Purpose", "Remark", "RuleBook", "Terms", "load"]
