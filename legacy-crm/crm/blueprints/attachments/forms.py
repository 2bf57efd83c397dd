"""The upload form. How large a file may be is MAX_CONTENT_LENGTH, which answers 413 for the whole request."""
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired

from crm.fields import RowField
from crm.models import Deal


class UploadForm(FlaskForm):
    file = FileField("File", [FileRequired("Choose a file.")])
    deal_id = RowField("Belongs to the deal")

    def offer(self, customer):
        deals = Deal.query.filter_by(customer_id=customer.id).order_by(Deal.created_at.desc(), Deal.id.desc())
        self.deal_id.offer(deals, "title")
