"""`returns`: the relay comes back to IFC, which accepts what came back or sends it back once."""

from cli.handoffs import plain_act
from states.names import Subject, Trigger

accept = plain_act(Subject.RETURN, Trigger.ACCEPT)
decline = plain_act(Subject.RETURN, Trigger.DECLINE)
offer = plain_act(Subject.RETURN, Trigger.OFFER)
