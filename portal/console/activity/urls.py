"""What was done: on the base host at a provider, on a customer's host there."""

from django.urls import path

from portal.console.activity import views

base = [
    path("activity/", views.provider_activity, name="activity"),
    path("activity/activity.csv", views.provider_activity_csv, name="activity_csv"),
]
customer = [
    path("activity/", views.customer_activity, name="activity"),
    path("activity/activity.csv", views.customer_activity_csv, name="activity_csv"),
]
