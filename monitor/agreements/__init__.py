"""rules/*.yaml in, RuleBook out: the agreements that every sighting is judged against.

values      one string -> one typed value, or what to write instead
models      the language: what network.yaml and a partner's file may say
load        folder -> RuleBook, or a RuleError with every fault of every file
book        the RuleBook: who may get something at this host, whose number is this
lint        RuleBook -> remarks: what is valid and yet probably not meant
schema      the models as rules/schema.json, for editors
"""

from monitor.agreements.book import Client, RuleBook, Terms
from monitor.agreements.load import load
from monitor.agreements.models import Grant, Network, Partner, Purpose
from monitor.written.document import Remark

__all__ = ["Client", "Grant", "Network", "Partner", "Purpose", "Remark", "RuleBook", "Terms", "load"]
